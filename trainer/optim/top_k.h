#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace dstore {

/// Calls body(first, values) with consecutive pieces of one tensor's scores, in order.
using ScoreReader = std::function<void(const std::function<void(std::uint64_t first, std::span<const float> scores)>&)>;

/// The `k` largest |scores| over several tensors as ascending flat indices per tensor: exactly k, or all nonzero ones where
/// fewer are. Ties go to the earlier tensor, then the lower index. NaN counts as zero. The scores are read at
/// most three times and must not change; memory is O(k + 2^16).
std::vector<std::vector<std::uint32_t>> select_top_k(std::span<const ScoreReader> tensors, std::uint64_t k);

}  // namespace dstore
