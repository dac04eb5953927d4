#include "repo/model_version.h"

#include "repo/history.h"

namespace dstore {

ModelVersion load_version(const Repository& repository, const ObjectId& commit) {
  ModelVersion out{nullptr, repository.require_commit(commit), {}, std::nullopt};
  out.files = load_commit_files(repository, out.commit.commit);
  if (out.commit.commit.is_task()) out.delta = read_delta(repository, out.commit.commit);
  return out;
}

ModelVersion open_version(const Repository& repository, const MergeSource& source, const Progress& progress) {
  if (!source.computed) return load_version(repository, source.commit);
  OpenTask task = open_task(repository, *source.computed, progress);
  ModelVersion out{std::move(task.scratch), {}, std::move(task.loaded.files), std::move(task.delta), task.overlap};
  out.commit.commit = computed_record(*source.computed, task.loaded.commits, task.base);
  return out;
}

ObjectId store_version(const Repository& repository, PackSession& session, CommitKeeper& keeper, const std::set<ObjectId>& forgotten, ModelVersion& version,
                       const Committer& committer, const Progress& progress) {
  if (!version.scratch || !version.commit.id.is_none()) return version.commit.id;
  const auto base = StoredWeights::load(repository.store(), version.delta->base_weights);
  const auto weights = StoredWeights::load(version.scratch->store(), *version.delta, repository.store());  // those of `files` may be in use elsewhere
  const ComputedTask task = write_computed(repository, session, *base, *weights, pairs_of_delta(*base, *weights, *version.delta), version.files, progress);
  version.commit.commit.checkpoint = task.checkpoint;
  version.commit.commit.delta = task.delta.id;
  version.commit.id = store_commit(repository, session, keeper, forgotten, version.commit.commit, committer);
  return version.commit.id;
}

std::optional<ObjectId> find_made(const Repository& repository, const ObjectId& head, const ModelVersion& computed) {
  const Commit& record = computed.commit.commit;
  for (const ObjectId& id : history(repository, {head})) {
    const Commit commit = repository.read_commit(id);
    if (commit.training == record.training && commit.parents == record.parents && commit.base == record.base) return id;
  }
  return std::nullopt;
}

}  // namespace dstore
