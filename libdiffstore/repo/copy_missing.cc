#include <map>
#include <set>

#include "dstore/error.h"
#include "object/chunked.h"
#include "repo/model_files.h"
#include "repo/transfer.h"

namespace dstore {
namespace {

/// Lists the closure of commits, leaves first, then copies it.
class Copier {
 public:
  Copier(const Repository& from, Repository& to) : from_(from), to_(to) {}

  /// The commit with all it needs: what it names comes first (an explicit stack: histories are long).
  void add_commit(const ObjectId& head) {
    std::vector<std::pair<ObjectId, bool>> stack{{head, false}};
    while (!stack.empty()) {
      const auto [id, needs_are_there] = stack.back();
      stack.pop_back();
      if (needs_are_there) {
        add_checkpoint(from_.read_commit(id));
        add_signatures(id);
        add(ObjectKind::commit, id);
      } else if (is_there(ObjectKind::commit, id)) {
        add_signatures(id);
      } else if (visited_.insert(id).second) {
        const Commit commit = from_.read_commit(id);
        stack.emplace_back(id, true);
        for (const ObjectId& parent : commit.parents) stack.emplace_back(parent, false);
        for (const ObjectId& source : commit.derived_from) stack.emplace_back(source, false);
        if (commit.base) stack.emplace_back(*commit.base, false);
      }
    }
  }

  TransferReport copy(const Progress& progress, const Notice& notice) {
    require_room(to_.fs(), to_.directory(), packed_size(order_.size(), bytes_), "the transfer", notice);
    PackSession session = to_.store().begin_write();
    std::uint64_t done = 0;
    for (const ObjectId& id : order_) {
      const StoredObject object = from_.store().read_stored(id);
      session.add_stored(object);
      done += object.bytes.size();
      if (progress) progress(done, bytes_);
    }
    session.commit();
    TransferReport report;
    report.objects = session.objects_added();
    report.bytes = session.bytes_stored();
    return report;
  }

 private:
  void add_signatures(const ObjectId& commit) {
    for (const ObjectId& id : from_.store().signatures_of(commit)) add(ObjectKind::signature, id);
  }

  void add_checkpoint(const Commit& commit) {
    const CheckpointTable checkpoint = read_checkpoint(from_, commit);
    for (const auto& shard : checkpoint.shards) add_file(shard.header);
    for (const auto& file : checkpoint.files) add_file(file.file);
    if (commit.is_task()) {
      const DeltaTable delta = read_delta(from_, commit);
      for (const ObjectId& segment : delta.segments) add(ObjectKind::segment, segment);
      for (const ObjectId& id : delta.stored_tensors()) add_tensor(id, true);
      add_weights(delta.base_weights);
      add(ObjectKind::delta, *commit.delta);
    } else {
      add_weights(checkpoint.weights);
    }
    add(ObjectKind::checkpoint, commit.checkpoint);
  }

  void add_weights(const ObjectId& id) {
    if (is_there(ObjectKind::weights, id) || listed_.contains(id)) return;
    const WeightsTable table = WeightsTable::parse(from_.store().read(ObjectKind::weights, id), "weights " + id.short_hex());
    for (const WeightsTable::Row& row : table.rows) add_tensor(row.tensor, !to_.config().without_base);
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
      throw Error(ErrorCode::not_found, printable(from_.directory()) + ": has not the chunks of its base, which the other side lacks too; import the base first (`dstore import FOLDER`)" );
    }
    if (!entry) throw Error(ErrorCode::not_found, printable(from_.directory()) + ": no " + std::string(kind_name(kind)) + " " + id.hex() + "; see `dstore fsck` there");
    order_.push_back(id);
    bytes_ += entry->stored_size;
  }

  /// Whether the other side has it, whole. Looked at once.
  bool is_there(ObjectKind kind, const ObjectId& id) {
    const auto known = there_.find(id);
    if (known != there_.end()) return known->second;
    bool whole = to_.store().contains(id);
    if (whole) {
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
  Repository& to_;
  std::set<ObjectId> visited_;         ///< commits
  std::set<ObjectId> listed_;          ///< what is in order_
  std::map<ObjectId, bool> there_;     ///< of what was looked for
  std::vector<ObjectId> order_;
  std::uint64_t bytes_ = 0;            ///< as stored
};

}  // namespace

TransferReport copy_missing(const Repository& from, Repository& to, const std::vector<ObjectId>& commits, const Progress& progress, const Notice& notice) {
  Copier copier(from, to);
  for (const ObjectId& commit : commits) copier.add_commit(commit);
  return copier.copy(progress, notice);
}

}  // namespace dstore
