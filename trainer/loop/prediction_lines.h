#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "trainer/text/label_map.h"
#include "trainer/text/task_kind.h"

namespace dstore {

enum class PredictionFormat { tsv, jsonl };

/// What `dstore predict` writes for a task. Classification: the likeliest label, its probability and every class's; multi-label: the labels
/// above one half and every label's probability; regression: the score. Numbers are the shortest that read back as the same float.
class PredictionLines {
 public:
  PredictionLines(PredictionFormat format, TaskKind task, const LabelMap& labels) : format_(format), task_(task), labels_(labels) {}
  /// TSV's first line; empty for JSON lines.
  std::string header() const;
  std::string line(std::span<const float> logits) const;

 private:
  PredictionFormat format_;
  TaskKind task_;
  const LabelMap& labels_;
};

/// By the name's end: .jsonl and .ndjson, or .tsv, .txt and none. Error{invalid_argument} for others.
PredictionFormat prediction_format(const std::string& path);

/// Whether a multi-label task gives a label: its probability is above one half (as logits: a rounded probability could say otherwise).
inline bool label_is_chosen(float logit) { return logit > 0; }
/// Ids of those it gives, ascending.
std::vector<std::int32_t> chosen_labels(std::span<const float> logits);

/// Softmax; or of each by itself, where labels do not exclude each other.
std::vector<double> probabilities(std::span<const float> logits, TaskKind task);

}  // namespace dstore
