#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "repo/change_ranks.h"

namespace dstore {

/// Tensors (indexes into ChangeRanks::tensors(), ascending) whose entries compete for `k` places.
struct SelectionScope {
  std::vector<std::size_t> tensors;
  std::uint64_t k = 0;
};

/// Where a scope's ranking is cut: all entries above the threshold are kept, and those of equal rank that come before one entry.
struct Cut {
  std::uint64_t threshold = std::numeric_limits<std::uint64_t>::max();
  std::size_t tensor = 0;  ///< the first entry of the threshold's rank that is not kept
  std::uint64_t unit = 0;

  bool keeps(std::uint64_t rank, std::size_t at_tensor, std::uint64_t at_unit) const {
    if (rank != threshold) return rank > threshold;
    return at_tensor < tensor || (at_tensor == tensor && at_unit < unit);
  }
};

/// What was kept of a tensor's change. The energy is the sum of squares of the finite differences.
struct KeptShare {
  std::uint64_t changed = 0;
  std::uint64_t kept = 0;
  std::uint64_t unscored = 0;  ///< changed entries whose difference is NaN or infinite
  double energy = 0;
  double kept_energy = 0;
  std::uint64_t least_rank = std::numeric_limits<std::uint64_t>::max();  ///< of a kept entry

  /// NaN where the squares of f64 leave the range of a double.
  double energy_lost() const { return energy > 0 ? 1 - kept_energy / energy : 0; }
  KeptShare& operator+=(const KeptShare& other);
};

struct SelectedEntries {
  std::vector<Cut> cuts;          ///< for each tensor, that of its scope; a tensor in no scope loses everything
  std::vector<KeptShare> shares;  ///< for each tensor
};

/// Exactly the `k` changed entries of highest rank in each scope, or all where fewer changed; ties go to the earlier tensor, then
/// the lower index. The change is read up to six times, in pieces of 16 MiB on all threads; memory does not depend on the model's size or k.
/// `progress`: bytes of the change read, of what an ordinary selection reads.
SelectedEntries select_entries(const ChangeRanks& ranks, const std::vector<SelectionScope>& scopes, unsigned threads,
                         const std::function<void(std::uint64_t, std::uint64_t)>& progress);

}  // namespace dstore
