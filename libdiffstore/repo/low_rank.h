#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "dstore/error.h"
#include "dstore/tensor.h"

namespace dstore {

/// Two factors of a change of a matrix: + scale * (B x A), B of shape [m, r], A of shape [r, n], both f32, f16 or bf16.
struct LowRankFactors {
  const TensorSource* source = nullptr;
  std::size_t b = 0;  ///< indexes into source
  std::size_t a = 0;
  float scale = 1;
  ErrorCode fault = ErrorCode::invalid_argument;  ///< where they give a NaN; of stored ones it is corrupt
  bool stored = false;  ///< the factors are stored anyway: they are used whatever else would take

  std::uint64_t rank() const { return source->tensors()[a].shape.front(); }
};

/// What keeps these factors from a tensor; nullopt if they fit. A tensor of more than two dimensions counts as the matrix
/// [first dimension, product of the others].
std::optional<std::string> low_rank_problem(const TensorInfo& tensor, const TensorInfo& b, const TensorInfo& a, float scale);

/// Adds scale * (B x A) to part of the tensor in place: `bytes` are its whole elements from byte `offset` on. The operations
/// of every element stand in spec/objects.md, "low_rank": the bits are the same on every machine. Error{factors.fault}
/// where a result is NaN. Memory is a few MiB; thread-safe.
void add_low_rank(const TensorInfo& tensor, const LowRankFactors& factors, std::uint64_t offset, MutableByteSpan bytes);

}  // namespace dstore
