#pragma once

#include <optional>

#include "repo/align.h"
#include "repo/derived_tensor.h"
#include "repo/stored_weights.h"

namespace dstore {

/// The operation that makes a task's tensor from its base's in the fewest bytes; nullopt where the tensor is better stored
/// whole. Large tensors are judged by four of their pieces. `factors` may be null; Error{invalid_argument} if they do not
/// fit the tensor. A function of the contents alone.
std::optional<DerivedTensor> choose_derivation(const StoredWeights& base, const TensorSource& task, const Pairing& pair,
                                               const LowRankFactors* factors, Profile profile);

}  // namespace dstore
