#pragma once

#include <optional>
#include <string>

#include "object/delta_table.h"
#include "repo/low_rank.h"

namespace dstore {

/// A tensor of a task as an operation of a delta makes it from one of the base, before pieces are applied
/// (spec/objects.md, "delta"). The sources must outlive it. Thread-safe.
struct DerivedTensor {
  DeltaOp op = DeltaOp::modify;  ///< modify, convert or low_rank
  const TensorSource* base = nullptr;
  std::size_t index = 0;         ///< in base
  TensorInfo info;               ///< of the result
  LowRankFactors factors;        ///< low_rank only

  const TensorInfo& base_info() const { return base->tensors()[index]; }
  /// Whole elements of the result from byte `offset` on.
  void read(std::uint64_t offset, MutableByteSpan out) const;
};

/// Whether `convert` makes a tensor like `to` from one like `from`: other rows or another float dtype, all else equal.
bool is_conversion(const TensorInfo& from, const TensorInfo& to);
/// The result of a `convert`; Error{corrupt} naming the tensor if it cannot be, or would be the base's tensor itself.
TensorInfo converted_info(const TensorInfo& from, const std::string& name, DType dtype, std::uint64_t rows);

}  // namespace dstore
