#pragma once

#include <span>
#include <string>
#include <vector>

#include "merge/merge_method.h"

namespace dstore {

/// Which model: "model 2".
std::string model_text(std::size_t model);

/// Numbers [first, first + out.size()) of a statistic. Error{invalid_argument} where one is not finite.
void read_statistic(const TensorStatistic& statistic, std::uint64_t first, std::span<double> out);

/// Error{invalid_argument}: a weight is negative, or all are 0: such methods divide by sums of them.
std::vector<double> positive_weights(const MergeSettings& settings, std::string_view method);

}  // namespace dstore
