#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace dstore {

struct MetricValue {
  std::string name;
  double value;
};

// Equal to scikit-learn's accuracy_score, f1_score (zero_division=0), matthews_corrcoef and
// mean_squared_error, and to scipy's pearsonr and spearmanr (average ranks). Spans have equal, positive length
// (Error{invalid_argument} otherwise); class ids are >= 0.
/// The second of two classes is the positive one.
double binary_f1(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted);
double accuracy(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted);
double macro_f1(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted);
double micro_f1(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted);
double matthews_correlation(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted);
double mean_squared_error(std::span<const double> truth, std::span<const double> predicted);
double pearson(std::span<const double> x, std::span<const double> y);   ///< NaN if one side is constant or n < 2
double spearman(std::span<const double> x, std::span<const double> y);  ///< NaN if one side is constant or n < 2

/// accuracy, macro_f1, micro_f1, mcc, of two classes f1 too: the first is the one that is selected on and shown.
std::vector<MetricValue> classification_metrics(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted, std::size_t classes);
/// micro_f1, macro_f1 (over all classes, 0 where one is neither true nor predicted), subset_accuracy, of row-major [rows, classes] of 0 and 1:
/// scikit-learn's for indicator matrices with zero_division=0.
std::vector<MetricValue> multi_label_metrics(std::span<const std::uint8_t> truth, std::span<const std::uint8_t> predicted, std::size_t classes);
/// spearman, pearson, mse.
std::vector<MetricValue> regression_metrics(std::span<const double> truth, std::span<const double> predicted);

}  // namespace dstore
