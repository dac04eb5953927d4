#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dstore/tensor.h"
#include "object/delta_table.h"

namespace dstore {

/// A tensor of the result: where it stands in the task, and which base tensor it is a changed version of.
/// Without `task` it is the base's tensor as it is.
struct Pairing {
  std::string name;
  std::optional<std::size_t> base;
  std::optional<std::size_t> task;
};

struct Alignment {
  std::vector<Pairing> pairs;        ///< every task tensor, sorted by name
  std::string prefix;                ///< what the task's names have more ("bert."), or the base's, see `prefix_in_base`
  bool prefix_in_base = false;
  std::size_t matched = 0;           ///< pairs with both sides
  std::size_t matched_elsewhere = 0; ///< of those, under another name
  std::size_t dropped = 0;           ///< base tensors that no task tensor matches
};

/// Finds the base tensor of each task tensor: by hand (task name → base name) first, then by equal name, then by the
/// one prefix, added or removed, that matches most tensors of equal shape. A base tensor is used once; pairs of unequal
/// shape or dtype are kept as pairs (the caller stores such a tensor whole).
/// Error{invalid_argument} if `by_hand` names a tensor that is not there.
Alignment align(const TensorSource& base, const TensorSource& task, const std::map<std::string, std::string>& by_hand);

/// Which base tensor each tensor of the result of a delta comes from, as the delta says; none for a tensor that it adds.
std::vector<Pairing> pairs_of_delta(const TensorSource& base, const TensorSource& result, const DeltaTable& delta);

/// Lines "TASK_NAME BASE_NAME", '#' comments. Error{invalid_argument} with the line's number.
std::map<std::string, std::string> parse_name_map(std::string_view text, std::string_view what);

}  // namespace dstore
