#include "trainer/text/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "dstore/error.h"

namespace dstore {
namespace {

template <typename T>
void require_pairs(std::span<const T> a, std::span<const T> b) {
  if (a.empty() || a.size() != b.size()) {
    throw Error(ErrorCode::invalid_argument, "a metric needs as many predictions as truths, and at least one: " +
                                                 std::to_string(a.size()) + " and " + std::to_string(b.size()));
  }
}

/// Per class: how often true, predicted, and both. Index: class id.
struct ClassCounts {
  std::vector<std::int64_t> truth, predicted, both;

  ClassCounts(std::span<const std::int32_t> t, std::span<const std::int32_t> p) {
    require_pairs(t, p);
    if (std::min(*std::min_element(t.begin(), t.end()), *std::min_element(p.begin(), p.end())) < 0) {
      throw Error(ErrorCode::invalid_argument, "a class id is negative");
    }
    const auto classes = std::size_t{1} + static_cast<std::size_t>(std::max(*std::max_element(t.begin(), t.end()),
                                                                            *std::max_element(p.begin(), p.end())));
    truth.resize(classes), predicted.resize(classes), both.resize(classes);
    for (std::size_t i = 0; i < t.size(); ++i) {
      ++truth[static_cast<std::size_t>(t[i])];
      ++predicted[static_cast<std::size_t>(p[i])];
      if (t[i] == p[i]) ++both[static_cast<std::size_t>(t[i])];
    }
  }
  std::int64_t correct() const { return std::accumulate(both.begin(), both.end(), std::int64_t{0}); }
};

double f1(std::int64_t both, std::int64_t truth, std::int64_t predicted) {
  return truth + predicted == 0 ? 0 : 2 * static_cast<double>(both) / static_cast<double>(truth + predicted);
}

double dot(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

/// x minus its mean, divided by its norm; empty if x is constant.
std::vector<double> standardized(std::span<const double> x) {
  if (std::all_of(x.begin(), x.end(), [&](double v) { return v == x[0]; })) return {};
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
  std::vector<double> out(x.begin(), x.end());
  double largest = 0;
  for (double& v : out) largest = std::max(largest, std::abs(v -= mean));
  double norm = 0;
  for (const double v : out) norm += (v / largest) * (v / largest);
  norm = largest * std::sqrt(norm);
  for (double& v : out) v /= norm;
  return out;
}

/// Ranks from 1; equal values share the average of theirs.
std::vector<double> average_ranks(std::span<const double> x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  std::vector<double> ranks(x.size());
  for (std::size_t start = 0; start < order.size();) {
    std::size_t end = start + 1;
    while (end < order.size() && x[order[end]] == x[order[start]]) ++end;
    const double rank = static_cast<double>(start + 1 + end) / 2;
    for (std::size_t i = start; i < end; ++i) ranks[order[i]] = rank;
    start = end;
  }
  return ranks;
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
bool has_nan(std::span<const double> x) {
  return std::any_of(x.begin(), x.end(), [](double v) { return std::isnan(v); });
}

}  // namespace

double accuracy(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted) {
  return static_cast<double>(ClassCounts(truth, predicted).correct()) / static_cast<double>(truth.size());
}

double micro_f1(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted) {
  return accuracy(truth, predicted);  // one label a row: every false positive is another class's false negative
}

double macro_f1(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted) {
  const ClassCounts counts(truth, predicted);
  double sum = 0;
  int classes = 0;
  for (std::size_t c = 0; c < counts.truth.size(); ++c) {
    if (counts.truth[c] + counts.predicted[c] == 0) continue;
    sum += f1(counts.both[c], counts.truth[c], counts.predicted[c]);
    ++classes;
  }
  return sum / classes;
}

double binary_f1(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted) {
  const ClassCounts counts(truth, predicted);
  if (counts.truth.size() > 2) throw Error(ErrorCode::invalid_argument, "a binary F1 needs two classes");
  return counts.truth.size() < 2 ? 0 : f1(counts.both[1], counts.truth[1], counts.predicted[1]);
}

double matthews_correlation(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted) {
  const ClassCounts counts(truth, predicted);
  const auto n = static_cast<double>(truth.size());
  const double covariance = static_cast<double>(counts.correct()) * n - dot(counts.truth, counts.predicted);
  const double truth_variance = n * n - dot(counts.truth, counts.truth);
  const double predicted_variance = n * n - dot(counts.predicted, counts.predicted);
  if (truth_variance == 0 || predicted_variance == 0) return 0;
  return covariance / std::sqrt(truth_variance * predicted_variance);
}

double mean_squared_error(std::span<const double> truth, std::span<const double> predicted) {
  require_pairs(truth, predicted);
  double sum = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) sum += (truth[i] - predicted[i]) * (truth[i] - predicted[i]);
  return sum / static_cast<double>(truth.size());
}

double pearson(std::span<const double> x, std::span<const double> y) {
  require_pairs(x, y);
  const std::vector<double> a = standardized(x), b = standardized(y);
  if (a.empty() || b.empty()) return kNan;
  return std::clamp(std::inner_product(a.begin(), a.end(), b.begin(), 0.0), -1.0, 1.0);
}

double spearman(std::span<const double> x, std::span<const double> y) {
  require_pairs(x, y);
  if (has_nan(x) || has_nan(y)) return kNan;
  return pearson(average_ranks(x), average_ranks(y));
}

std::vector<MetricValue> classification_metrics(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted, std::size_t classes) {
  std::vector<MetricValue> out{{"accuracy", accuracy(truth, predicted)},
                               {"macro_f1", macro_f1(truth, predicted)},
                               {"micro_f1", micro_f1(truth, predicted)},
                               {"mcc", matthews_correlation(truth, predicted)}};
  if (classes == 2) out.push_back({"f1", binary_f1(truth, predicted)});
  return out;
}

std::vector<MetricValue> multi_label_metrics(std::span<const std::uint8_t> truth, std::span<const std::uint8_t> predicted, std::size_t classes) {
  require_pairs(truth, predicted);
  if (classes == 0 || truth.size() % classes != 0) throw Error(ErrorCode::invalid_argument, "a row of labels is incomplete");
  std::vector<std::int64_t> of_truth(classes), of_predicted(classes), of_both(classes);
  std::int64_t equal_rows = 0;
  for (std::size_t row = 0; row < truth.size(); row += classes) {
    bool equal = true;
    for (std::size_t c = 0; c < classes; ++c) {
      const bool t = truth[row + c] != 0, p = predicted[row + c] != 0;
      of_truth[c] += t;
      of_predicted[c] += p;
      of_both[c] += t && p;
      equal = equal && t == p;
    }
    equal_rows += equal;
  }
  const auto total = [](const std::vector<std::int64_t>& counts) { return std::accumulate(counts.begin(), counts.end(), std::int64_t{0}); };
  double sum = 0;
  for (std::size_t c = 0; c < classes; ++c) sum += f1(of_both[c], of_truth[c], of_predicted[c]);
  return {{"micro_f1", f1(total(of_both), total(of_truth), total(of_predicted))},
          {"macro_f1", sum / static_cast<double>(classes)},
          {"subset_accuracy", static_cast<double>(equal_rows) / static_cast<double>(truth.size() / classes)}};
}

std::vector<MetricValue> regression_metrics(std::span<const double> truth, std::span<const double> predicted) {
  return {{"spearman", spearman(truth, predicted)},
          {"pearson", pearson(truth, predicted)},
          {"mse", mean_squared_error(truth, predicted)}};
}

}  // namespace dstore
