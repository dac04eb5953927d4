#pragma once

#include <nlohmann/json_fwd.hpp>

#include "task_stats.h"

namespace dstore::cli {

/// {changed, elements, density, l1, l2, max_abs, sign_changes, non_finite, ulps: {"1": n, "2": n, "4": n, ...}}: a key of
/// `ulps` is the least distance in its bucket. l1, l2 and max_abs are null where the dtype has no such numbers.
nlohmann::ordered_json difference_json(const DifferenceStats& stats);
/// {layers[], roles[], tensors[], all}: each {name, tensors, modified, new_elements, stored_bytes} and difference_json(); a
/// tensor also {state, layer, role, dtype, shape, base: {name, dtype, shape}|null, rank}.
nlohmann::ordered_json changes_json(const TaskChanges& changes);
/// [{a, b, shared, either, jaccard, cosine, comparable, opposite, conflict_rate, conflict_energy}].
nlohmann::ordered_json pairs_json(const std::vector<std::string>& names, const std::vector<TaskPair>& pairs);

}  // namespace dstore::cli
