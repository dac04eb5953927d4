#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "merge/merge_method.h"
#include "merge/trim.h"

namespace dstore {

/// Which differences a method keeps; one row of task_vectors.cc each.
enum class Keep { all, largest, without_outliers, random, by_rank };

/// The trim of a model's differences in a tensor, as the settings say.
std::unique_ptr<Trim> make_trim(Keep keep, const MergeSettings& settings, const MergedTensor& tensor, std::size_t model);

using Trims = std::vector<std::unique_ptr<Trim>>;  ///< one for each model

/// TIES of what the trims keep. `majority`: how ties are decided, 1 or -1, where tie=global and it is known for the whole model.
std::unique_ptr<TensorMerge> make_ties(const MergeSettings& settings, const MergedTensor& tensor, Trims trims, std::optional<int> majority);
/// Of the elections in a window those that plus wins, less those that minus wins.
std::int64_t balance_of_elections(const MergeSettings& settings, const MergedTensor& tensor, Trims trims, const MergeWindow& window);

/// For make_model: null unless trim_scope is the model.
std::unique_ptr<ModelMerge> make_model_ties(const MergeSettings& settings, std::span<const MergedTensor> tensors);

}  // namespace dstore
