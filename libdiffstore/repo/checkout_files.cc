#include "repo/checkout_files.h"

#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/shard_stream.h"

namespace dstore {

FileSet::FileSet(const Repository& repository, const ModelFiles& files) : repository_(repository), files_(files) {
  for (const ShardFile& shard : files.shards) {
    if (!shards_.emplace(shard.path, &shard).second) throw Error(ErrorCode::corrupt, printable(shard.path) + ": two shards have this name");
    paths_.push_back(shard.path);
    sizes_[shard.path] = shard.bytes();
    total_ += shard.bytes();
  }
  for (const auto& [path, file] : files.files) {
    sizes_[path] = file.file ? repository.file_object_size(*file.file) : file.content.size();
    total_ += sizes_[path];
    paths_.push_back(path);
  }
}

void FileSet::read(const PlainFile& file, const std::function<void(ByteSpan)>& visit) const {
  if (!file.file) return visit(file.content);
  repository_.read_file_object(*file.file, visit);
}

std::optional<ObjectId> FileSet::known_digest(const std::string& path) const {
  if (const auto shard = shards_.find(path); shard != shards_.end()) return shard->second->sha256;
  Sha256 hash;
  read(files_.files.at(path), [&](ByteSpan bytes) { hash.update(bytes); });
  return hash.finish();
}

CheckoutRecord::FileRow FileSet::write(Filesystem& fs, const std::string& path, const std::string& target, unsigned threads,
                                       const Progress& progress) const {
  const auto file = fs.open(target, OpenMode::create_new);
  CheckoutRecord::FileRow row;
  const auto append = [&](ByteSpan bytes) {
    file->write_at(row.size, bytes);
    row.size += bytes.size();
    done_ += bytes.size();
    if (progress) progress(done_, total_);
  };
  if (const auto shard = shards_.find(path); shard != shards_.end()) {
    row.sha256 = stream_shard(*files_.weights, *shard->second, threads, append);
  } else {
    Sha256 hash;
    read(files_.files.at(path), [&](ByteSpan bytes) {
      hash.update(bytes);
      append(bytes);
    });
    row.sha256 = hash.finish();
  }
  file->sync();
  const FileInfo info = file->info();
  row.mtime_ns = info.mtime_ns;
  row.inode = info.inode;
  return row;
}

}  // namespace dstore
