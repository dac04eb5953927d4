#include "repo/open_task.h"

#include "repo/shard_hashes.h"

namespace dstore {

OpenTask open_task(const Repository& repository, const Revision& revision, const Progress& progress) {
  OpenTask out;
  if (!revision.computed) {
    out.loaded = load_revision(repository, revision);
    const CheckedCommit& task = out.loaded.commits.front();
    require_task(task, revision.text);
    out.base = *task.commit.base;
    out.delta = read_delta(repository, task.commit);
    return out;
  }
  OpenRevision model = open_revision(repository, revision, progress);
  out.base = model.lineage->base;
  out.scratch = std::make_unique<ScratchStore>(repository);
  ObjectStore& store = out.scratch->store();
  const auto base = StoredWeights::load(repository.store(), model.lineage->base_weights);
  PackSession session = store.begin_write();
  ShardOrder order(model.files.source(), model.files.shards, model.lineage->pairs);
  out.delta = write_delta(session, *base, model.files.source(), model.lineage->pairs, 0, progress, {}, model.changes, &order).table;
  out.delta_bytes = session.bytes_stored();
  session.commit();
  if (model.sum != nullptr) out.overlap = model.sum->overlap();
  out.loaded = std::move(model);
  out.loaded.files.computed.reset();
  out.loaded.files.weights = StoredWeights::load(store, out.delta, repository.store());
  return out;
}

}  // namespace dstore
