#include "repo/commit_computed.h"

#include "dstore/error.h"
#include "repo/shard_hashes.h"

namespace dstore {

ComputedTask write_computed(const Repository& repository, PackSession& session, const StoredWeights& base, const TensorSource& result,
                            const std::vector<Pairing>& pairs, const ModelFiles& files, const Progress& progress, const ChangeSource* changes) {
  ComputedTask out;
  ShardHashes hashes(result, files.shards, pairs);
  out.delta = write_delta(session, base, result, pairs, 0, progress, {}, changes, &hashes);
  CheckpointTable table;
  table.weights = out.delta.table.result_weights;
  const std::vector<ObjectId> digests = hashes.finish();
  for (std::size_t i = 0; i < digests.size(); ++i) {
    const ShardFile& shard = files.shards[i];
    table.shards.push_back({shard.path, write_file(session, shard.header.raw), shard.bytes(), digests[i]});
    out.full_bytes += shard.bytes();
  }
  for (const auto& [path, file] : files.files) {
    const bool stored = file.file && session.has(*file.file);
    table.files.push_back({path, stored ? *file.file : write_file(session, file.file ? repository.read_file_object(*file.file) : file.content)});
    out.full_bytes += file.file ? repository.file_object_size(*file.file) : file.content.size();
  }
  out.checkpoint = session.add(ObjectKind::checkpoint, table.serialize());
  return out;
}

Commit computed_record(const Revision& revision, const std::vector<CheckedCommit>& commits, const ObjectId& base) {
  Commit commit;
  commit.base = base;
  for (const CheckedCommit& source : commits) {
    if (source.commit.is_task()) commit.parents.push_back(source.id);
  }
  commit.derived_from = commit.parents;
  commit.message = revision.text;
  commit.training = {{"method", "merge"}, {"expression", revision.computed->pinned()}};
  return commit;
}

ComputedReport commit_computed(Repository& repository, const Revision& revision, const std::string& message, const RefName& branch, const Committer& committer,
                               const Progress& progress) {
  if (!revision.computed) throw Error(ErrorCode::invalid_argument, "\"" + printable(revision.text) + "\" is a commit already");
  const auto head = repository.refs().head(branch);
  if (head && !head->is_deletion()) throw Error(ErrorCode::conflict, branch.text() + " exists already; give the result another --name");
  const OpenRevision model = open_revision(repository, revision, progress);
  PackSession session = repository.store().begin_write();
  const auto base = StoredWeights::load(repository.store(), model.lineage->base_weights);
  ComputedTask task = write_computed(repository, session, *base, model.files.source(), model.lineage->pairs, model.files, progress, model.changes);
  Commit commit = computed_record(revision, model.commits, model.lineage->base);
  commit.checkpoint = task.checkpoint;
  commit.delta = task.delta.id;
  commit.message = message;
  ComputedReport out;
  out.base = model.lineage->base;
  out.full_bytes = task.full_bytes;
  if (model.sum != nullptr) out.overlap = model.sum->overlap();
  out.commit = publish_commit(repository, session, std::move(commit), branch, committer, ObjectId());
  out.stored_bytes = session.bytes_stored();
  out.delta = std::move(task.delta);
  return out;
}

}  // namespace dstore
