#include "repo/commit_tensors.h"

#include <algorithm>

#include "delta/element.h"
#include "delta/segment.h"
#include "dstore/error.h"
#include "object/chunked.h"
#include "object/weights_table.h"
#include "repo/model_files.h"

namespace dstore {
namespace {

/// Changed units of a delta's tensors, read in the order of the segments: each is read once.
class PieceCounts {
 public:
  PieceCounts(const ObjectStore& store, const std::vector<ObjectId>& segments) {
    for (const ObjectId& id : segments) {
      const Bytes bytes = store.read(ObjectKind::segment, id);
      std::vector<std::uint64_t>& counts = segments_.emplace_back();
      const SegmentReader reader(bytes, "segment " + id.short_hex());
      for (const PieceInfo& piece : reader.pieces()) counts.push_back(piece.changed);
    }
  }

  /// Pieces follow each other, also into the next segments.
  std::uint64_t changed(const DeltaTable::Change& change) const {
    std::uint64_t total = 0;
    std::size_t segment = change.segment, piece = change.piece;
    for (std::uint32_t left = change.pieces; left > 0; --left, ++piece) {
      while (segment < segments_.size() && piece >= segments_[segment].size()) {
        ++segment;
        piece = 0;
      }
      if (segment >= segments_.size()) throw Error(ErrorCode::corrupt, printable(change.name) + ": its delta has fewer pieces than it says");
      total += segments_[segment][piece];
    }
    return total;
  }

 private:
  std::vector<std::vector<std::uint64_t>> segments_;
};

constexpr std::uint8_t kOfBase = 0;  ///< op of a base's tensor; the others are numbers of DeltaOp

}  // namespace

const std::map<std::string, TensorReader::Kept, std::less<>>& TensorReader::tensors_of(const ObjectId& weights) {
  if (weights_ == weights) return tensors_;
  weights_ = ObjectId();
  tensors_.clear();
  units_ = 0;
  const ObjectStore& store = repository_.store();
  for (const WeightsTable::Row& row : WeightsTable::parse(store.read(ObjectKind::weights, weights), "weights " + weights.short_hex()).rows) {
    TensorObject tensor = TensorObject::parse(store.read(ObjectKind::tensor, row.tensor), "tensor " + row.tensor.short_hex());
    units_ += unit_count(tensor.dtype, tensor.bytes);
    tensors_.emplace(row.name, Kept{tensor.dtype, std::move(tensor.shape), row.tensor});
  }
  weights_ = weights;
  return tensors_;
}

CommitTensors TensorReader::read(const Commit& commit) { return commit.is_task() ? read_task(commit) : read_base(commit); }

CommitTensors TensorReader::read_base(const Commit& commit) {
  CommitTensors out;
  out.result_weights = read_checkpoint(repository_, commit).weights;
  for (const auto& [name, kept] : tensors_of(out.result_weights)) {
    out.tensors.push_back({name, "", std::nullopt, kept.dtype, kept.shape, kept.tensor});
  }
  out.base_units = units_;
  return out;
}

CommitTensors TensorReader::read_task(const Commit& commit) {
  CommitTensors out;
  const DeltaTable delta = read_delta(repository_, commit);
  const auto& base = tensors_of(delta.base_weights);
  const PieceCounts counts(repository_.store(), delta.segments);
  out.base_weights = delta.base_weights;
  out.result_weights = delta.result_weights;
  out.base_units = units_;
  out.segments = delta.segments.size();
  for (const DeltaTable::Change& change : delta.changes) {
    TensorFact fact{change.name, change.base_name, change.op, DType::f32, {}, change.tensor, counts.changed(change)};
    const auto before = base.find(change.from());
    if (change.op == DeltaOp::add) {
      TensorObject tensor = TensorObject::parse(repository_.store().read(ObjectKind::tensor, change.tensor), "tensor " + change.tensor.short_hex());
      fact.dtype = tensor.dtype;
      fact.shape = std::move(tensor.shape);
    } else if (before == base.end()) {
      throw Error(ErrorCode::corrupt, "delta " + commit.delta->short_hex() + ": its base has no tensor " + printable(change.from()));
    } else {
      fact.dtype = change.convert ? change.convert->dtype : before->second.dtype;
      fact.shape = before->second.shape;
      if (change.convert && !fact.shape.empty()) fact.shape.front() = change.convert->rows;
    }
    out.changed += fact.changed;
    out.tensors.push_back(std::move(fact));
  }
  return out;
}

Bytes encode_tensors(const CommitTensors& tensors) {
  Writer out;
  out.id(tensors.base_weights);
  out.id(tensors.result_weights);
  for (const std::uint64_t number : {tensors.base_units, tensors.changed, tensors.segments, std::uint64_t{tensors.tensors.size()}}) out.u64(number);
  for (const TensorFact& fact : tensors.tensors) {
    out.sized_text(fact.name);
    out.sized_text(fact.base_name);
    out.u8(fact.op ? static_cast<std::uint8_t>(*fact.op) : kOfBase);
    out.u8(static_cast<std::uint8_t>(fact.dtype));
    out.u32(static_cast<std::uint32_t>(fact.shape.size()));
    for (const std::uint64_t dimension : fact.shape) out.u64(dimension);
    out.id(fact.tensor);
    out.u64(fact.changed);
  }
  return out.take();
}

CommitTensors decode_tensors(const ObjectId&, ByteSpan bytes) {
  Reader in(bytes, "catalog");
  CommitTensors out;
  out.base_weights = in.id_or_none();
  out.result_weights = in.id_or_none();
  std::uint64_t count = 0;
  for (std::uint64_t* number : {&out.base_units, &out.changed, &out.segments, &count}) *number = in.u64();
  for (; count > 0; --count) {
    TensorFact fact;
    fact.name = in.sized_text();
    fact.base_name = in.sized_text();
    const std::uint8_t op = in.u8();
    if (op > static_cast<std::uint8_t>(DeltaOp::low_rank)) in.fail("no such operation");
    if (op != kOfBase) fact.op = static_cast<DeltaOp>(op);
    const auto dtype = dtype_from_code(in.u8());
    if (!dtype) in.fail("no such dtype");
    fact.dtype = *dtype;
    for (std::uint32_t left = in.u32(); left > 0; --left) fact.shape.push_back(in.u64());
    fact.tensor = in.id_or_none();
    fact.changed = in.u64();
    out.tensors.push_back(std::move(fact));
  }
  in.expect_end();
  return out;
}

}  // namespace dstore
