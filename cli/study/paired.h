#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace dstore::cli {

struct MeanStd {
  double mean = 0;
  double std = 0;  ///< of a sample: divided by n - 1; 0 for one value
  std::size_t n = 0;
};
/// Nullopt for no values.
std::optional<MeanStd> mean_std(const std::vector<double>& values);

/// Difference of two accuracies, and where it lies with 95 % confidence.
struct PairedInterval {
  double difference = 0, low = 0, high = 0;  ///< shares of texts
  std::size_t seeds = 0, texts = 0;
};

/// a[s] and b[s] say of each test text, as '1' or '0', whether the run with the s-th seed was right. Percentile bootstrap over seeds and
/// texts (docs/study.md, "Intervals"), the same on every machine. Nullopt where nothing can be paired.
std::optional<PairedInterval> paired_interval(const std::vector<std::string>& a, const std::vector<std::string>& b);

}  // namespace dstore::cli
