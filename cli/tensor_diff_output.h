#pragma once

#include <nlohmann/json_fwd.hpp>

#include "dstore/model.h"
#include "model_diff.h"
#include "session.h"

namespace dstore::cli {

/// Beside a tensor's state: dtypes and shapes where they tell something, its old name unless it is `in_prefix`.
std::string detail_text(const TensorDiff& tensor, bool in_prefix);
/// {name, base_name, state, before: {dtype, shape}|null, after, and difference_json()}.
nlohmann::ordered_json tensor_diff_json(const TensorDiff& tensor);

/// `diff --tensor`: compares one tensor, prints it and its `limit` largest changes; the exit status.
int print_tensor(const Session& session, const Model& a, const Model& b, const std::string& name, std::uint64_t limit);

}  // namespace dstore::cli
