#include "repo/import.h"

#include <mutex>

#include "base/parallel.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "object/checkpoint_table.h"

namespace dstore {
namespace {

struct ChunkJob {
  std::size_t tensor = 0;
  std::uint64_t chunk = 0;
};

}  // namespace

CheckpointTable write_folder_files(PackSession& session, Filesystem& fs, const CheckpointFolder& folder) {
  CheckpointTable table;
  for (const Shard& shard : folder.shards()) {
    table.shards.push_back({shard.path, write_file(session, shard.header.raw), shard.bytes.size(), ObjectId()});
  }
  for (const SideFile& file : folder.side_file_list()) {
    const auto opened = fs.open(join_path(folder.path(), file.path), OpenMode::read);
    table.files.push_back({file.path, write_file(session, *opened)});
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

ImportReport import_folder(Repository& repository, const CheckpointFolder& folder, const RefName& branch,
                           const std::string& message, const Committer& committer, const Progress& progress, Profile profile) {
  const TensorSource& source = folder.tensors();
  const std::vector<FileInfo> stamps = shard_stamps(repository.fs(), folder);
  PackSession session = repository.store().begin_write(profile);
  CheckpointTable checkpoint = write_folder_files(session, repository.fs(), folder);

  std::vector<TensorObject> objects;
  std::vector<ChunkJob> jobs;
  std::uint64_t total = 0;
  for (std::size_t t = 0; t < source.tensors().size(); ++t) {
    const TensorInfo& info = source.tensors()[t];
    objects.push_back({info.dtype, info.shape, info.bytes, std::vector<ObjectId>(chunk_count(info.bytes))});
    for (std::uint64_t c = 0; c < chunk_count(info.bytes); ++c) jobs.push_back({t, c});
    total += info.bytes;
  }
  // Whole-file digests are serial, so they go first; the chunks fill the other cores meanwhile.
  const std::size_t shards = folder.shards().size();
  std::mutex mutex;
  std::uint64_t done = 0;
  parallel_for(shards + jobs.size(), 0, [&](std::size_t i) {
    if (i < shards) {
      checkpoint.shards[i].sha256 = sha256(folder.shards()[i].bytes);
      return;
    }
    const ChunkJob& job = jobs[i - shards];
    TensorObject& object = objects[job.tensor];
    const std::uint64_t size = chunk_size(object.bytes, job.chunk);
    // A copy: what is hashed must be what is stored, also if somebody writes to the mapped file.
    const auto mapped = source.view(job.tensor).subspan(job.chunk * kChunkBytes, size);
    object.chunks[job.chunk] = session.add(ObjectKind::chunk, Bytes(mapped.begin(), mapped.end()), chunk_layout(object.dtype));
    const std::scoped_lock lock(mutex);
    done += size;
    if (progress) progress(done, total);
  });

  WeightsTable weights;
  for (std::size_t t = 0; t < objects.size(); ++t) {
    weights.rows.push_back({source.tensors()[t].name, session.add(ObjectKind::tensor, objects[t].serialize())});
  }
  ImportReport report;
  report.weights = session.add(ObjectKind::weights, weights.serialize());
  checkpoint.weights = report.weights;
  Commit commit;
  commit.checkpoint = session.add(ObjectKind::checkpoint, checkpoint.serialize());
  commit.message = message;
  report.tensors = objects.size();
  report.shards = shards;
  report.side_files = checkpoint.files.size();
  for (const Shard& shard : folder.shards()) report.folder_bytes += shard.bytes.size();
  for (const SideFile& file : folder.side_file_list()) report.folder_bytes += file.size;

  require_same_shards(repository.fs(), folder, stamps);
  const auto head = repository.refs().head(branch);
  if (head && head->kind == RefKind::branch && !head->is_deletion() && repository.read_commit(head->new_commit).checkpoint == commit.checkpoint) {
    report.commit = head->new_commit;
    report.unchanged = true;
    // Objects that were damaged here are whole again in this session.
    if (session.objects_added() > 0) session.commit();
    report.stored_bytes = session.bytes_stored();
    return report;
  }
  report.commit = publish_commit(repository, session, std::move(commit), branch, committer);
  report.stored_bytes = session.bytes_stored();
  return report;
}

}  // namespace dstore
