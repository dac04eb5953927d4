#include "repo/commit_computed.h"

#include "dstore/error.h"
#include "repo/shard_stream.h"

namespace dstore {

WrittenCheckpoint write_checkpoint(const Repository& repository, PackSession& session, const ModelFiles& files, const TensorSource& result, const ObjectId& weights) {
  WrittenCheckpoint out;
  out.table.weights = weights;
  for (const ShardFile& shard : files.shards) {
    out.table.shards.push_back({shard.path, write_file(session, shard.header.raw), shard.bytes(), hash_shard(result, shard.header, 0)});
    out.full_bytes += shard.bytes();
  }
  for (const auto& [path, file] : files.files) {
    out.table.files.push_back({path, file.file ? *file.file : write_file(session, file.content)});
    out.full_bytes += file.file ? repository.file_object_size(*file.file) : file.content.size();
  }
  return out;
}

ComputedTask write_computed(const Repository& repository, PackSession& session, const ModelFiles& files, const Lineage& lineage, const Progress& progress,
                            const ChangeSource* changes) {
  ComputedTask out;
  const auto base = StoredWeights::load(repository.store(), lineage.base_weights);
  out.delta = write_delta(session, *base, files.source(), lineage.pairs, 0, progress, {}, changes);
  WrittenCheckpoint checkpoint = write_checkpoint(repository, session, files, files.source(), out.delta.table.result_weights);
  out.full_bytes = checkpoint.full_bytes;
  out.checkpoint = session.add(ObjectKind::checkpoint, checkpoint.table.serialize());
  return out;
}

ComputedReport commit_computed(Repository& repository, const Revision& revision, const std::string& message, const RefName& branch, const Committer& committer,
                               const Progress& progress) {
  if (!revision.computed) throw Error(ErrorCode::invalid_argument, "\"" + printable(revision.text) + "\" is a commit already");
  const auto head = repository.refs().head(branch);
  if (head && !head->is_deletion()) throw Error(ErrorCode::conflict, branch.text() + " exists already; give the result another --name");
  const OpenRevision model = open_revision(repository, revision, progress);
  PackSession session = repository.store().begin_write();
  ComputedTask task = write_computed(repository, session, model.files, *model.lineage, progress, model.changes);
  Commit commit;
  commit.checkpoint = task.checkpoint;
  commit.delta = task.delta.id;
  commit.base = model.lineage->base;
  for (const CheckedCommit& source : model.commits) {
    if (!source.commit.is_task()) continue;
    commit.parents.push_back(source.id);
    commit.derived_from.push_back(source.id);
  }
  commit.message = message;
  commit.training = {{"method", "merge"}, {"expression", revision.computed->pinned()}};
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
