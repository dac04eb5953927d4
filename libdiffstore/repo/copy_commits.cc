#include "repo/copy_commits.h"

#include <map>

#include "dstore/error.h"
#include "object/chunked.h"
#include "odb/condemned.h"
#include "repo/missing_objects.h"
#include "repo/model_files.h"

namespace dstore {
namespace {

/// Lists the closure of commits, leaves first, then copies it.
class Copier {
 public:
  Copier(const Repository& from, PackSession& session, CommitKeeper& keeper, const std::set<ObjectId>& forgotten)
      : from_(from), to_(keeper.repository()), session_(session), keeper_(keeper), forgotten_(forgotten) {}

  /// The commit with all it needs: what it names comes first (an explicit stack: histories are long).
  void add_commit(const ObjectId& head) {
    std::vector<std::pair<ObjectId, bool>> stack{{head, false}};
    while (!stack.empty()) {
      const auto [id, needs_are_there] = stack.back();
      stack.pop_back();
      if (needs_are_there) {
        if (!forgotten_.contains(id)) add_checkpoint(from_.read_commit(id));
        add_signatures(id);
        add(ObjectKind::commit, id);
      } else if (visited_.contains(id)) {
        continue;
      } else if (is_there(ObjectKind::commit, id)) {
        add_signatures(id);
      } else if (!forgotten_.contains(id) && !session_.has(id) && keeper_.keep(id)) {
        visited_.insert(id);
        kept_.insert(id);
        add_signatures(id);
      } else if (forgotten_.contains(id) && !from_.store().contains(id)) {
        continue;
      } else if (visited_.insert(id).second) {
        const Commit commit = from_.read_commit(id);
        stack.emplace_back(id, true);
        for (const ObjectId& parent : commit.parents) stack.emplace_back(parent, false);
        for (const ObjectId& source : commit.derived_from) stack.emplace_back(source, false);
        if (commit.base) stack.emplace_back(*commit.base, false);
      }
    }
  }

  /// Of the commits that are written here again.
  void add_evaluations() {
    if (&from_ != &to_) return;
    for (const ObjectId& commit : visited_) {
      if (kept_.contains(commit)) continue;
      for (const ObjectId& id : from_.store().evaluations_of(commit)) {
        add(ObjectKind::evaluation, id);
        add_signatures(id);
      }
    }
  }

  void copy(const Progress& progress, const Notice& notice) {
    if (order_.empty()) return;
    require_room(to_.fs(), to_.directory(), packed_size(order_.size(), bytes_), "the transfer", notice);
    std::uint64_t done = 0;
    for (const ObjectId& id : order_) {
      const StoredObject object = from_.store().read_stored(id);
      session_.add_stored(object);
      done += object.bytes.size();
      if (progress) progress(done, bytes_);
    }
  }

 private:
  void add_signatures(const ObjectId& target) {
    for (const ObjectId& id : from_.store().signatures_of(target)) add(ObjectKind::signature, id);
  }

  void add_checkpoint(const Commit& commit) {
    const CheckpointTable checkpoint = read_checkpoint(from_, commit);
    add_files(checkpoint);
    if (commit.adapter) {
      const CheckpointTable adapter = read_checkpoint(from_, *commit.adapter);
      add_files(adapter);
      add_weights(adapter.weights, true);
      add(ObjectKind::checkpoint, *commit.adapter);
    }
    if (commit.is_task()) {
      const DeltaTable delta = read_delta(from_, commit);
      for (const ObjectId& segment : delta.segments) add(ObjectKind::segment, segment);
      for (const ObjectId& id : delta.stored_tensors()) add_tensor(id, true);
      if (!forgotten_.contains(*commit.base) && !has_kept(*commit.base, delta.base_weights)) add_weights(delta.base_weights, !to_.config().without_base);
      add(ObjectKind::delta, *commit.delta);
    } else {
      add_weights(checkpoint.weights, !to_.config().without_base);
    }
    add(ObjectKind::checkpoint, commit.checkpoint);
  }

  void add_files(const CheckpointTable& checkpoint) {
    for (const auto& shard : checkpoint.shards) add_file(shard.header);
    for (const auto& file : checkpoint.files) add_file(file.file);
  }

  /// A base that the keeper has stays with its weights.
  bool has_kept(const ObjectId& base, const ObjectId& weights) const {
    return kept_.contains(base) && read_checkpoint(from_, from_.read_commit(base)).weights == weights;
  }

  void add_weights(const ObjectId& id, bool with_chunks) {
    if (is_there(ObjectKind::weights, id) || listed_.contains(id)) return;
    const WeightsTable table = WeightsTable::parse(from_.store().read(ObjectKind::weights, id), "weights " + id.short_hex());
    for (const WeightsTable::Row& row : table.rows) add_tensor(row.tensor, with_chunks);
    add(ObjectKind::weights, id);
  }

  /// Where the other side has no bases, it may have a tensor without its chunks: then a task that needs them looks for each.
  void add_tensor(const ObjectId& id, bool with_chunks) {
    if (!with_chunks) return add(ObjectKind::tensor, id);
    if (!to_.config().without_base && (is_there(ObjectKind::tensor, id) || listed_.contains(id))) return;
    add_chunks(TensorObject::parse(from_.store().read(ObjectKind::tensor, id), "tensor " + id.short_hex()).chunks);
    add(ObjectKind::tensor, id);
  }

  void add_file(const ObjectId& id) {
    if (is_there(ObjectKind::file, id) || listed_.contains(id)) return;
    add_chunks(FileObject::parse(from_.store().read(ObjectKind::file, id), "file " + id.short_hex()).chunks);
    add(ObjectKind::file, id);
  }

  void add_chunks(const std::vector<ObjectId>& ids) {
    for (const ObjectId& id : ids) add(ObjectKind::chunk, id);
  }

  void add(ObjectKind kind, const ObjectId& id) {
    if (is_there(kind, id) || !listed_.insert(id).second) return;
    const auto entry = from_.store().find(id);
    if (!entry && kind == ObjectKind::chunk && from_.config().without_base) {
      throw Error(ErrorCode::not_found, printable(from_.directory()) + ": has not the chunks of its base, which the other side lacks too; import the base first (`dstore import FOLDER`)");
    }
    if (!entry) throw Error(ErrorCode::not_found, printable(from_.directory()) + ": no " + std::string(kind_name(kind)) + " " + id.hex() + "; see `dstore fsck` there");
    order_.push_back(id);
    bytes_ += entry->stored_size;
  }

  /// Whether the session's store has it, or this session wrote it. Another store's copy is read once: damaged, it counts as missing.
  bool is_there(ObjectKind kind, const ObjectId& id) {
    const auto known = there_.find(id);
    if (known != there_.end()) return known->second;
    bool whole = session_.has(id);
    if (whole && &from_ != &to_ && !session_.had(id)) {
      try {
        whole = to_.store().read_stored(id).kind == kind;
      } catch (const Error& error) {
        if (error.code() == ErrorCode::io) throw;
        whole = false;
      }
    }
    return there_.emplace(id, whole).first->second;
  }

  const Repository& from_;
  const Repository& to_;
  PackSession& session_;
  CommitKeeper& keeper_;
  const std::set<ObjectId>& forgotten_;
  std::set<ObjectId> visited_;      ///< commits
  std::set<ObjectId> kept_;         ///< commits
  std::set<ObjectId> listed_;       ///< what is in order_
  std::map<ObjectId, bool> there_;  ///< of what was looked for
  std::vector<ObjectId> order_;
  std::uint64_t bytes_ = 0;         ///< as stored
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
  return is_complete(repository_, {commit});
}

void copy_commits(const Repository& from, PackSession& session, CommitKeeper& keeper, const std::vector<ObjectId>& commits, const std::set<ObjectId>& forgotten,
                  const Progress& progress, const Notice& notice) {
  Copier copier(from, session, keeper, forgotten);
  for (const ObjectId& commit : commits) copier.add_commit(commit);
  copier.add_evaluations();
  copier.copy(progress, notice);
}

}  // namespace dstore
