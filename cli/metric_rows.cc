#include "metric_rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace dstore::cli {
namespace {

using Better = MetricRow::Better;

struct Direction {
  std::string_view word;  ///< of the metric's name, lower case
  Better better;
};
/// The first that a name contains decides: "error" before "r".
constexpr Direction kDirections[] = {
    {"loss", Better::lower},      {"perplexity", Better::lower}, {"error", Better::lower},   {"mse", Better::lower},      {"mae", Better::lower},
    {"wer", Better::lower},       {"accuracy", Better::higher},  {"f1", Better::higher},     {"matthews", Better::higher}, {"mcc", Better::higher},
    {"pearson", Better::higher},  {"spearman", Better::higher},  {"precision", Better::higher}, {"recall", Better::higher}, {"auc", Better::higher},
    {"bleu", Better::higher},     {"rouge", Better::higher},     {"r2", Better::higher},     {"exact_match", Better::higher}};

Better direction_of(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const Direction& known : kDirections) {
    if (name.find(known.word) != std::string::npos) return known.better;
  }
  return Better::unknown;
}

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

bool same_measure(const MetricRow& a, const MetricRow& b) { return a.split == b.split && a.name == b.name; }

}  // namespace

bool MetricRow::is_best(std::size_t i) const {
  if (better == Better::unknown || !values[i] || !values[i]->number) return false;
  std::size_t known = 0;
  for (const auto& value : values) {
    if (!value || !value->number) continue;
    ++known;
    if (better == Better::higher ? *value->number > *values[i]->number : *value->number < *values[i]->number) return false;
  }
  return known > 1;
}

std::vector<MetricRow> metric_rows(const std::vector<const CommitFacts*>& commits) {
  std::vector<MetricRow> rows;
  for (std::size_t i = 0; i < commits.size(); ++i) {
    for (const Metric& metric : all_metrics(*commits[i])) {
      auto row = std::find_if(rows.begin(), rows.end(), [&](const MetricRow& r) {
        return r.split == metric.split && r.name == metric.name && r.data_sha256 == metric.data_sha256;
      });
      if (row == rows.end()) {
        row = rows.insert(rows.end(), {metric.split, metric.name, metric.data_sha256, direction_of(metric.name), {}});
        row->values.resize(commits.size());
      }
      row->values[i] = MetricRow::Value{metric.value, number(metric.value), metric.n};
    }
  }
  return rows;
}

std::string metric_label(const std::vector<MetricRow>& rows, const MetricRow& row) {
  const auto same = std::count_if(rows.begin(), rows.end(), [&](const MetricRow& r) { return same_measure(r, row); });
  return row.split + " " + row.name + (same > 1 ? " (data " + row.data_sha256.substr(0, 8) + ")" : "");
}

const char* better_name(Better better) {
  constexpr const char* kNames[] = {"", "higher", "lower"};
  return kNames[static_cast<std::size_t>(better)];
}

}  // namespace dstore::cli
