#include "repo/commit_size.h"

#include <algorithm>

#include "base/decimal.h"
#include "delta/element.h"
#include "delta/segment.h"
#include "object/chunked.h"
#include "repo/model_files.h"

namespace dstore {
namespace {

WeightsTable read_weights_table(const Repository& repository, const ObjectId& id) {
  return WeightsTable::parse(repository.store().read(ObjectKind::weights, id), "weights " + id.short_hex());
}

/// Adds up stored sizes, each object once and none that `known` holds.
class Walk {
 public:
  Walk(const ObjectStore& store, const std::unordered_set<ObjectId>* known) : store_(store), known_(known) {}

  std::uint64_t object(const ObjectId& id) {
    if (!is_new(id)) return 0;
    const auto entry = store_.find(id);
    return entry && !entry->linked ? entry->stored_size : 0;
  }

  std::uint64_t tensor(const ObjectId& id, std::uint64_t* units = nullptr) {
    if (units == nullptr && !is_unseen(id)) return 0;
    const TensorObject tensor = TensorObject::parse(store_.read(ObjectKind::tensor, id), "tensor " + id.short_hex());
    if (units != nullptr) *units += unit_count(tensor.dtype, tensor.bytes);
    return object(id) + objects(tensor.chunks);
  }

  /// `raw` grows by the file's own size.
  std::uint64_t file(const ObjectId& id, std::uint64_t& raw) {
    const FileObject file = FileObject::parse(store_.read(ObjectKind::file, id), "file " + id.short_hex());
    raw += file.bytes;
    return object(id) + objects(file.chunks);
  }

  std::uint64_t objects(const std::vector<ObjectId>& ids) {
    std::uint64_t bytes = 0;
    for (const ObjectId& id : ids) bytes += object(id);
    return bytes;
  }

  std::unordered_set<ObjectId> take() { return std::move(seen_); }

 private:
  bool is_unseen(const ObjectId& id) const { return (known_ == nullptr || known_->count(id) == 0) && seen_.count(id) == 0; }
  bool is_new(const ObjectId& id) { return (known_ == nullptr || known_->count(id) == 0) && seen_.insert(id).second; }

  const ObjectStore& store_;
  const std::unordered_set<ObjectId>* known_;
  std::unordered_set<ObjectId> seen_;
};

/// The folder of a task's adapter; its tensors are mostly the delta's factors.
void add_adapter(const Repository& repository, const ObjectId& id, Walk& walk, CommitSizes& sizes) {
  const CheckpointTable table = read_checkpoint(repository, id);
  std::uint64_t unused = 0;
  for (const CheckpointTable::ShardRow& shard : table.shards) sizes.files += walk.file(shard.header, unused);
  for (const CheckpointTable::FileRow& file : table.files) sizes.files += walk.file(file.file, unused);
  const WeightsTable weights = read_weights_table(repository, table.weights);
  for (const WeightsTable::Row& row : weights.rows) sizes.added += walk.tensor(row.tensor);
  sizes.records += walk.object(table.weights) + walk.object(id);
}

/// What bases and tasks have alike: the commit itself, its checkpoint table, headers and side files.
void add_files(const Repository& repository, const ObjectId& id, const Commit& commit, const CheckpointTable& checkpoint, Walk& walk,
               CommitSizes& sizes) {
  sizes.records += walk.object(id) + walk.object(commit.checkpoint) + walk.objects(repository.store().signatures_of(id));
  std::uint64_t header_bytes = 0;  // part of the shards already
  for (const CheckpointTable::ShardRow& shard : checkpoint.shards) {
    sizes.checkpoint += shard.bytes;
    sizes.files += walk.file(shard.header, header_bytes);
  }
  for (const CheckpointTable::FileRow& file : checkpoint.files) sizes.files += walk.file(file.file, sizes.checkpoint);
}

}  // namespace

const CommitSizer::Base& CommitSizer::base(const ObjectId& id) {
  const auto found = bases_.find(id);
  if (found != bases_.end()) return found->second;
  if (is_forgotten(id)) return bases_.emplace(id, Base{}).first->second;
  const Commit commit = repository_.read_commit(id);
  const CheckpointTable checkpoint = read_checkpoint(repository_, commit);
  Base out;
  Walk walk(repository_.store(), nullptr);
  add_files(repository_, id, commit, checkpoint, walk, out.sizes);
  const WeightsTable weights = read_weights_table(repository_, checkpoint.weights);
  out.sizes.records += walk.object(checkpoint.weights);
  for (const WeightsTable::Row& row : weights.rows) out.sizes.added += walk.tensor(row.tensor, &out.units);
  out.objects = walk.take();
  return bases_.emplace(id, std::move(out)).first->second;
}

std::uint64_t CommitSizer::base_units(const ObjectId& id, const Commit& commit) { return base(commit.base.value_or(id)).units; }

CommitSizes CommitSizer::sizes(const ObjectId& id, const Commit& commit) {
  CommitSizes out;
  if (is_forgotten(id)) return out;
  if (!commit.is_task()) return base(id).sizes;
  const DeltaTable delta = read_delta(repository_, commit);
  Walk walk(repository_.store(), commit.base ? &base(*commit.base).objects : nullptr);
  add_files(repository_, id, commit, read_checkpoint(repository_, commit), walk, out);
  out.delta = walk.object(*commit.delta) + walk.objects(delta.segments);
  for (const ObjectId& tensor : delta.stored_tensors()) out.added += walk.tensor(tensor);
  if (commit.adapter) add_adapter(repository_, *commit.adapter, walk, out);
  return out;
}

std::uint64_t count_changed_units(const Repository& repository, const Commit& task) {
  std::uint64_t changed = 0;
  for (const ObjectId& id : read_delta(repository, task).segments) {
    const Bytes bytes = repository.store().read(ObjectKind::segment, id);
    const SegmentReader reader(bytes, "segment " + id.short_hex());
    for (const PieceInfo& piece : reader.pieces()) changed += piece.changed;
  }
  return changed;
}

std::optional<double> task_density(const Repository& repository, CommitSizer& sizer, const ObjectId& id, const Commit& commit) {
  if (!commit.is_task()) return std::nullopt;
  if (const auto recorded = parse_number(commit.fact("density"))) return recorded;
  if (sizer.is_forgotten(id)) return std::nullopt;
  const auto units = static_cast<double>(sizer.base_units(id, commit));
  if (units == 0) return 0.0;
  const auto recorded = parse_number(commit.fact("changed"));
  const double changed = recorded ? *recorded : static_cast<double>(count_changed_units(repository, commit));
  return std::min(1.0, changed / units);
}

}  // namespace dstore
