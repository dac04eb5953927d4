#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "model_diff.h"
#include "session.h"

namespace dstore::cli {

/// One differing unit of a tensor.
struct ElementDiff {
  std::uint64_t index = 0;
  std::string before, after;  ///< unit_text()
};

/// The first `limit` units of a pair of equal dtype and shape that differ.
std::vector<ElementDiff> differing_elements(const TensorSource& a, const TensorSource& b, const TensorDiff& tensor, std::uint64_t limit);

/// The tensor that a user means: its name in either model. Error{not_found} with the nearest name.
const TensorDiff& find_tensor(const TensorsDiff& diff, const std::string& name);

/// "12345 [32, 57]": with the place in the shape where a unit is one element.
std::string position_text(const TensorInfo& info, std::uint64_t index);

}  // namespace dstore::cli
