#include "repo/checkout_files.h"

#include <cstring>

#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/shard_stream.h"
#include "repo/undo_file.h"

namespace dstore {
namespace {

constexpr std::size_t kOpenFiles = 64;
constexpr std::size_t kHole = 64 << 10;  ///< bytes of 0 that are left out, at multiples of it

bool is_zero(ByteSpan bytes) {
  return bytes.front() == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

/// As write_at() into a new file, but whole blocks of zeros stay holes, which take no room.
void write_with_holes(File& file, std::uint64_t offset, ByteSpan bytes) {
  std::size_t start = 0;  // of what is to be written
  const auto write_to = [&](std::size_t end) {
    if (end == start) return;
    file.write_at(offset + start, bytes.subspan(start, end - start));
    file.start_writeback(offset + start, end - start);
  };
  for (std::size_t at = (kHole - offset % kHole) % kHole; at + kHole <= bytes.size(); at += kHole) {
    if (!is_zero(bytes.subspan(at, kHole))) continue;
    write_to(at);
    start = at + kHole;
  }
  write_to(bytes.size());
}

/// As write_at() into a file of that size: only the pages that are others.
void write_where_other(File& file, std::uint64_t offset, ByteSpan bytes) {
  Bytes before(bytes.size());
  if (file.read_at(offset, before) != before.size()) throw Error(ErrorCode::io, file.path() + ": became shorter while it was written");
  write_changed_pages(file, offset, before, bytes);
}

}  // namespace

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

void FileSet::write(Filesystem& fs, const std::string& path, const std::string& target, unsigned threads, const Progress& progress,
                    WrittenFiles& out, CloneSources& clones) const {
  auto file = fs.open(target, OpenMode::create_new);
  bool like_another = false;
  const auto put = [&](std::uint64_t offset, ByteSpan bytes) {
    like_another ? write_where_other(*file, offset, bytes) : write_with_holes(*file, offset, bytes);
    const std::scoped_lock lock(progress_mutex_);
    done_ += bytes.size();
    if (progress) progress(done_, total_);
  };
  ObjectId sha256;
  const auto shard = shards_.find(path);
  if (shard != shards_.end() && shard->second->sha256 && clones.try_clone(*shard->second->sha256, bytes(path), *file)) {
    sha256 = *shard->second->sha256;
    done_ += bytes(path);
  } else if (shard != shards_.end()) {
    like_another = clones.try_clone_like(path, bytes(path), *file);
    const std::uint64_t before = done_;
    if (stream_recorded_shard(files_.source(), *shard->second, threads, put)) {
      sha256 = *shard->second->sha256;
    } else {
      if (shard->second->sha256) {  // what was tried is not to be built upon: holes are left where bytes are zero
        file->truncate(0);
        like_another = false;
        done_ = before;
      }
      sha256 = stream_shard(files_.source(), *shard->second, threads, put);
    }
  } else {
    Sha256 hash;
    std::uint64_t size = 0;
    read(files_.files.at(path), [&](ByteSpan bytes) {
      hash.update(bytes);
      put(size, bytes);
      size += bytes.size();
    });
    sha256 = hash.finish();
  }
  if (file->info().size < bytes(path)) file->truncate(bytes(path));  // it ends in a hole
  out.add(path, std::move(file), sha256);
}

void WrittenFiles::add(const std::string& path, std::unique_ptr<File> file, const ObjectId& sha256) {
  pending_.push_back({path, std::move(file), sha256});
  if (pending_.size() > kOpenFiles) sync_first();
}

void WrittenFiles::sync_first() {
  const Pending& first = pending_.front();
  first.file->sync();
  const FileInfo info = first.file->info();
  CheckoutRecord::FileRow& row = rows_[first.path];
  row.sha256 = first.sha256;
  row.size = info.size;
  row.mtime_ns = info.mtime_ns;
  row.inode = info.inode;
  pending_.pop_front();
}

std::map<std::string, CheckoutRecord::FileRow> WrittenFiles::finish() {
  while (!pending_.empty()) sync_first();
  return std::move(rows_);
}

}  // namespace dstore
