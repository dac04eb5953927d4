#pragma once

#include <optional>
#include <string>
#include <vector>

#include "repo/commit_facts.h"

namespace dstore::cli {

/// One metric over several commits. Values are comparable: measured on one split of the same data.
struct MetricRow {
  enum class Better { unknown, higher, lower };
  std::string split, name, data_sha256;
  Better better = Better::unknown;
  struct Value {
    std::string text;  ///< as recorded
    std::optional<double> number;
    std::int64_t n = 0;
  };
  std::vector<std::optional<Value>> values;  ///< one for each commit; the last where a commit has several

  /// Whether the i-th is as good as the best, of at least two.
  bool is_best(std::size_t i) const;
};

/// Every metric that one of the commits has, in the order in which they come up: of training, and of evaluations that count.
std::vector<MetricRow> metric_rows(const std::vector<const CommitFacts*>& commits);
/// "test accuracy"; where `rows` has the same on other data too, "test accuracy (data 1234abcd)".
std::string metric_label(const std::vector<MetricRow>& rows, const MetricRow& row);
const char* better_name(MetricRow::Better better);

}  // namespace dstore::cli
