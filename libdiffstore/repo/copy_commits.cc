#include "repo/copy_commits.h"

#include "object/chunked.h"
#include "odb/condemned.h"
#include "repo/missing_objects.h"
#include "repo/model_files.h"

namespace dstore {
namespace {

/// Copies the closure of commits, leaves first.
class Copier {
 public:
  Copier(const Repository& from, PackSession& session, CommitKeeper& keeper, const std::set<ObjectId>& forgotten, const Progress& progress)
      : from_(from), session_(session), keeper_(keeper), forgotten_(forgotten), progress_(progress) {}

  /// The commit with all it needs: what it names comes first (an explicit stack: histories are long).
  void add_commit(const ObjectId& head) {
    std::vector<std::pair<ObjectId, bool>> stack{{head, false}};
    while (!stack.empty()) {
      const auto [id, needs_are_there] = stack.back();
      stack.pop_back();
      if (needs_are_there) {
        if (!forgotten_.contains(id)) add_checkpoint(from_.read_commit(id));
        copy_signatures(id);
        copy(id);
      } else if (seen_.contains(id)) {
        continue;
      } else if (session_.has(id)) {
        copy_signatures(id);
      } else if (!forgotten_.contains(id) && keeper_.keep(id)) {
        seen_.insert(id);
        kept_.insert(id);
        copy_signatures(id);
      } else if (forgotten_.contains(id) && !from_.store().contains(id)) {
        continue;
      } else if (seen_.insert(id).second) {
        const Commit commit = from_.read_commit(id);
        stack.emplace_back(id, true);
        for (const ObjectId& parent : commit.parents) stack.emplace_back(parent, false);
        for (const ObjectId& source : commit.derived_from) stack.emplace_back(source, false);
        if (commit.base) stack.emplace_back(*commit.base, false);
      }
    }
  }

 private:
  void copy_signatures(const ObjectId& commit) {
    for (const ObjectId& id : from_.store().signatures_of(commit)) copy(id);
  }

  void add_checkpoint(const Commit& commit) {
    const CheckpointTable checkpoint = read_checkpoint(from_, commit);
    for (const auto& shard : checkpoint.shards) add_file(shard.header);
    for (const auto& file : checkpoint.files) add_file(file.file);
    if (commit.is_task()) {
      const DeltaTable delta = read_delta(from_, commit);
      for (const ObjectId& segment : delta.segments) copy(segment);
      for (const ObjectId& id : delta.stored_tensors()) add_tensor(id);
      if (!forgotten_.contains(*commit.base) && !has_kept(*commit.base, delta.base_weights)) add_weights(delta.base_weights);
      copy(*commit.delta);
    } else {
      add_weights(checkpoint.weights);
    }
    copy(commit.checkpoint);
  }

  /// A base that the keeper has stays with its weights.
  bool has_kept(const ObjectId& base, const ObjectId& weights) const {
    return kept_.contains(base) && read_checkpoint(from_, from_.read_commit(base)).weights == weights;
  }

  void add_weights(const ObjectId& id) {
    if (session_.has(id) || seen_.count(id) > 0) return;
    const WeightsTable table = WeightsTable::parse(from_.store().read(ObjectKind::weights, id), "weights " + id.short_hex());
    for (const WeightsTable::Row& row : table.rows) add_tensor(row.tensor);
    copy(id);
  }

  void add_tensor(const ObjectId& id) {
    if (session_.has(id) || seen_.count(id) > 0) return;
    for (const ObjectId& chunk : TensorObject::parse(from_.store().read(ObjectKind::tensor, id), "tensor " + id.short_hex()).chunks) copy(chunk);
    copy(id);
  }

  void add_file(const ObjectId& id) {
    if (session_.has(id) || seen_.count(id) > 0) return;
    for (const ObjectId& chunk : FileObject::parse(from_.store().read(ObjectKind::file, id), "file " + id.short_hex()).chunks) copy(chunk);
    copy(id);
  }

  void copy(const ObjectId& id) {
    if (copied_.insert(id).second == false) return;
    seen_.insert(id);
    if (session_.has(id)) return;
    session_.add_stored(from_.store().read_stored(id));
    if (progress_) progress_(session_.bytes_stored(), 0);
  }

  const Repository& from_;
  PackSession& session_;
  CommitKeeper& keeper_;
  const std::set<ObjectId>& forgotten_;
  const Progress& progress_;
  std::set<ObjectId> seen_;
  std::set<ObjectId> kept_;  ///< commits
  std::set<ObjectId> copied_;
};

}  // namespace

bool CommitKeeper::keep(const ObjectId& commit) {
  if (!repository_.store().contains(commit)) return false;
  if (!lease_) lease_.emplace(repository_.store().lease());
  commits_.push_back(commit);
  lease_->rely_only_on(commits_);
  // In this order: a collection that has not said yet that it is deleting will read the lease.
  if (read_condemned(repository_.fs(), repository_.directory()).deleting) return false;
  // What a branch or tag names is whole. Of others, a collection that was killed while it was deleting may have left a part.
  for (const RefEntry& head : repository_.refs().heads()) {
    if (head.new_commit == commit) return true;
  }
  return missing_objects(repository_, {commit}).empty();
}

void copy_commits(const Repository& from, PackSession& session, CommitKeeper& keeper, const std::vector<ObjectId>& commits, const std::set<ObjectId>& forgotten,
                  const Progress& progress) {
  Copier copier(from, session, keeper, forgotten, progress);
  for (const ObjectId& commit : commits) copier.add_commit(commit);
}

}  // namespace dstore
