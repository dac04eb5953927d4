#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model_diff.h"
#include "session.h"

namespace dstore::cli {

/// One differing unit of a tensor.
struct ElementDiff {
  std::uint64_t index = 0;            ///< from the tensor's start
  std::string before, after;          ///< unit_text()
  std::optional<double> difference;   ///< new - old; none where one is not finite or the dtype has no numbers
  std::uint64_t ulps = 0;             ///< ulp_distance()

  /// "+0.0012", of integers "-3"; empty where there is none.
  std::string difference_text() const;
};

/// How the elements of one pair of tensors compare.
struct TensorListing {
  DifferenceStats stats;               ///< of the elements that both have
  std::vector<ElementDiff> elements;   ///< the largest changes: those that are not finite, then by |difference|, ulps, index
  std::uint64_t rows = 0;              ///< that were compared, where the numbers of rows differ; else 0
};

/// Whether list_changes() has anything to look at: one dtype, and shapes that are equal but for the rows.
bool is_listable(const TensorDiff& tensor);
/// Reads both tensors once, a piece at a time on a few cores; memory does not grow with them.
TensorListing list_changes(const TensorSource& a, const TensorSource& b, const TensorDiff& tensor, std::uint64_t limit, const Progress& progress);

/// The tensor that a user means: its name in either model. Error{not_found} with the nearest name.
const TensorDiff& find_tensor(const TensorsDiff& diff, const std::string& name);

/// Place in the shape, where a unit is one element: {32, 57}; else empty.
std::vector<std::uint64_t> position_of(const TensorInfo& info, std::uint64_t index);
/// "12345 [32, 57]".
std::string position_text(const TensorInfo& info, std::uint64_t index);

}  // namespace dstore::cli
