#include "repo/store_checkpoint.h"

#include <mutex>
#include <set>

#include "base/parallel.h"
#include "base/room.h"
#include "base/sha256.h"
#include "dstore/error.h"

namespace dstore {
namespace {

struct ChunkJob {
  std::size_t tensor = 0;
  std::uint64_t chunk = 0;
};

std::vector<ChunkJob> chunk_jobs(const TensorSource& source) {
  std::vector<ChunkJob> jobs;
  for (std::size_t t = 0; t < source.tensors().size(); ++t) {
    for (std::uint64_t c = 0; c < chunk_count(source.tensors()[t].bytes); ++c) jobs.push_back({t, c});
  }
  return jobs;
}

/// A copy: what is hashed must be what is stored, also if somebody writes to the mapped file.
Bytes chunk_bytes(const TensorSource& source, const ChunkJob& job) {
  const auto mapped = source.view(job.tensor).subspan(job.chunk * kChunkBytes, chunk_size(source.tensors()[job.tensor].bytes, job.chunk));
  return Bytes(mapped.begin(), mapped.end());
}

/// A side file whose chunks stay where they are.
ObjectId link_side_file(PackSession& session, File& file, LinkFolder& links, const std::string& path) {
  const std::size_t number = links.start(path);
  FileObject object;
  object.bytes = file.info().size;
  Sha256 hash;
  Bytes buffer;
  for (std::uint64_t i = 0; i < chunk_count(object.bytes); ++i) {
    buffer.resize(chunk_size(object.bytes, i));
    if (file.read_at(i * kChunkBytes, buffer) != buffer.size()) throw Error(ErrorCode::io, file.path() + ": became shorter while it was read");
    hash.update(buffer);
    object.chunks.push_back(object_id(ObjectKind::chunk, buffer));
    links.add(number, object.chunks.back(), i * kChunkBytes, buffer.size());
  }
  links.set_digest(number, hash.finish());
  return session.add(ObjectKind::file, object.serialize());
}

}  // namespace

CheckpointTable write_folder_files(PackSession& session, Filesystem& fs, const CheckpointFolder& folder, LinkFolder* links) {
  CheckpointTable table;
  for (const Shard& shard : folder.shards()) {
    table.shards.push_back({shard.path, write_file(session, shard.header.raw), shard.bytes.size(), ObjectId()});
  }
  for (const SideFile& file : folder.side_file_list()) {
    const auto opened = fs.open(join_path(folder.path(), file.path), OpenMode::read);
    const bool linked = links != nullptr && file.size >= kChunkBytes;
    table.files.push_back({file.path, linked ? link_side_file(session, *opened, *links, file.path) : write_file(session, *opened)});
  }
  return table;
}

std::vector<FileInfo> shard_stamps(Filesystem& fs, const CheckpointFolder& folder) {
  std::vector<FileInfo> stamps;
  for (const Shard& shard : folder.shards()) stamps.push_back(fs.stat(join_path(folder.path(), shard.path), true).value_or(FileInfo{}));
  return stamps;
}

void require_same_shards(Filesystem& fs, const CheckpointFolder& folder, const std::vector<FileInfo>& before) {
  const std::vector<FileInfo> after = shard_stamps(fs, folder);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (after[i] == before[i] && after[i].size == folder.shards()[i].bytes.size()) continue;
    throw Error(ErrorCode::conflict, printable(join_path(folder.path(), folder.shards()[i].path)) +
                                         ": changed while it was read; nothing was committed, try again when nobody writes to it");
  }
}

CheckpointTable store_checkpoint(PackSession& session, Filesystem& fs, const CheckpointFolder& folder, const Progress& progress, LinkFolder* links) {
  const TensorSource& source = folder.tensors();
  const std::vector<FileInfo> stamps = shard_stamps(fs, folder);
  std::vector<std::size_t> linked;  // numbers of the shards
  if (links != nullptr) {
    for (const Shard& shard : folder.shards()) linked.push_back(links->start(shard.path));
  }
  CheckpointTable checkpoint = write_folder_files(session, fs, folder, links);

  std::vector<TensorObject> objects;
  std::uint64_t total = 0;
  for (const TensorInfo& info : source.tensors()) {
    objects.push_back({info.dtype, info.shape, info.bytes, std::vector<ObjectId>(chunk_count(info.bytes))});
    total += info.bytes;
  }
  const std::vector<ChunkJob> jobs = chunk_jobs(source);
  const auto place = [&](const ChunkJob& job, const Bytes& bytes) {
    if (links == nullptr) return session.add(ObjectKind::chunk, bytes, chunk_layout(objects[job.tensor].dtype));
    const ObjectId id = object_id(ObjectKind::chunk, bytes);
    const TensorLocation& at = folder.location(job.tensor);
    links->add(linked[at.shard], id, folder.shards()[at.shard].header.raw.size() + at.offset + job.chunk * kChunkBytes, bytes.size());
    return id;
  };
  // Whole-file digests are serial, so they go first; the chunks fill the other cores meanwhile.
  const std::size_t shards = folder.shards().size();
  std::mutex mutex;
  std::uint64_t done = 0;
  parallel_for(shards + jobs.size(), 0, [&](std::size_t i) {
    if (i < shards) {
      checkpoint.shards[i].sha256 = sha256(folder.shards()[i].bytes);
      if (links != nullptr) links->set_digest(linked[i], checkpoint.shards[i].sha256);
      return;
    }
    const ChunkJob& job = jobs[i - shards];
    const Bytes bytes = chunk_bytes(source, job);
    objects[job.tensor].chunks[job.chunk] = place(job, bytes);
    const std::scoped_lock lock(mutex);
    done += bytes.size();
    if (progress) progress(done, total);
  });

  WeightsTable weights;
  for (std::size_t t = 0; t < objects.size(); ++t) {
    weights.rows.push_back({source.tensors()[t].name, session.add(ObjectKind::tensor, objects[t].serialize())});
  }
  checkpoint.weights = session.add(ObjectKind::weights, weights.serialize());
  require_same_shards(fs, folder, stamps);
  if (links != nullptr) links->require_unchanged();
  return checkpoint;
}

std::uint64_t largest_size(const CheckpointFolder& folder, bool linked) {
  std::uint64_t objects = 2 + folder.shards().size(), bytes = 0;
  for (const Shard& shard : folder.shards()) bytes += linked ? shard.header.raw.size() : shard.bytes.size();
  for (const SideFile& file : folder.side_file_list()) {
    ++objects;
    if (!linked || file.size < kChunkBytes) bytes += file.size;
  }
  objects += folder.tensors().tensors().size() + chunk_jobs(folder.tensors()).size();
  return packed_size(objects, bytes);
}

std::uint64_t missing_size(const ObjectStore& store, const CheckpointFolder& folder) {
  const std::vector<ChunkJob> jobs = chunk_jobs(folder.tensors());
  std::mutex mutex;
  std::set<ObjectId> seen;
  std::uint64_t stored = 0;
  parallel_for(jobs.size(), 0, [&](std::size_t i) {
    const Bytes bytes = chunk_bytes(folder.tensors(), jobs[i]);
    const ObjectId id = object_id(ObjectKind::chunk, bytes);
    const auto entry = store.find(id);
    const std::lock_guard lock(mutex);
    if (!seen.insert(id).second || (entry && !entry->linked)) stored += bytes.size();
  });
  return largest_size(folder, false) - stored;
}

}  // namespace dstore
