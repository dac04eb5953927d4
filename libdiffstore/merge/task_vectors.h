#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "merge/merge_method.h"
#include "merge/rounding.h"
#include "merge/trim.h"

namespace dstore {

/// Which differences a method keeps; one row of task_vectors.cc each.
enum class Keep { all, largest, without_outliers, random, by_rank };

/// The trim of a model's differences in a tensor, as the settings say.
std::unique_ptr<Trim> make_trim(Keep keep, const MergeSettings& settings, const MergedTensor& tensor, std::size_t model);

/// Whether the settings ask for more than mergekit's election: then make_elected() merges the tensor.
bool wants_election(const MergeSettings& settings);
std::unique_ptr<TensorMerge> make_elected(Keep keep, const MergeSettings& settings, const MergedTensor& tensor);

/// For make_model: null unless trim_scope is the model.
std::unique_ptr<ModelMerge> make_model_ties(const MergeSettings& settings, std::span<const MergedTensor> tensors);

}  // namespace dstore
