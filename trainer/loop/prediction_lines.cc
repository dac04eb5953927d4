#include "trainer/loop/prediction_lines.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

std::string shortest(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, static_cast<float>(value)).ptr};
}

/// A label in a field between tabs.
std::string field(const std::string& name) { return name.find_first_of("\t\r\n") == name.npos ? name : printable(name); }

/// The same number in JSON, which knows doubles only.
double short_number(double value) {
  const std::string text = shortest(value);
  double out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

std::size_t likeliest(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

std::string tsv_line(TaskKind task, std::span<const float> logits, const LabelMap& labels) {
  if (task == TaskKind::regression) return shortest(static_cast<double>(logits[0])) + "\n";
  const std::vector<double> p = probabilities(logits, task);
  std::string out;
  if (task == TaskKind::classification) {
    out = field(labels.names()[likeliest(logits)]) + "\t" + shortest(p[likeliest(logits)]);
  } else {
    for (const std::int32_t label : chosen_labels(logits)) out += (out.empty() ? "" : ",") + field(labels.names()[static_cast<std::size_t>(label)]);
  }
  for (const double probability : p) out += "\t" + shortest(probability);
  return out + "\n";
}

std::string json_line(TaskKind task, std::span<const float> logits, const LabelMap& labels) {
  nlohmann::ordered_json out;
  if (task == TaskKind::regression) {
    out["score"] = short_number(static_cast<double>(logits[0]));
    return out.dump() + "\n";
  }
  const std::vector<double> p = probabilities(logits, task);
  if (task == TaskKind::classification) {
    out["label"] = labels.names()[likeliest(logits)];
    out["probability"] = short_number(p[likeliest(logits)]);
  } else {
    out["labels"] = nlohmann::ordered_json::array();
    for (const std::int32_t label : chosen_labels(logits)) out["labels"].push_back(labels.names()[static_cast<std::size_t>(label)]);
  }
  for (std::size_t i = 0; i < p.size(); ++i) out["probabilities"][labels.names()[i]] = short_number(p[i]);
  return out.dump() + "\n";
}

}  // namespace

std::vector<std::int32_t> chosen_labels(std::span<const float> logits) {
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (label_is_chosen(logits[i])) out.push_back(static_cast<std::int32_t>(i));
  }
  return out;
}

std::vector<double> probabilities(std::span<const float> logits, TaskKind task) {
  std::vector<double> out(logits.begin(), logits.end());
  if (task == TaskKind::multi_label) {
    for (double& value : out) value = 1 / (1 + std::exp(-value));
    return out;
  }
  const double largest = *std::max_element(out.begin(), out.end());
  double sum = 0;
  for (double& value : out) sum += value = std::exp(value - largest);
  for (double& value : out) value /= sum;
  return out;
}

std::string PredictionLines::header() const {
  if (format_ == PredictionFormat::jsonl) return "";
  if (task_ == TaskKind::regression) return "score\n";
  std::string out = task_ == TaskKind::classification ? "label\tprobability" : "labels";
  for (const std::string& name : labels_.names()) out += "\tp(" + field(name) + ")";
  return out + "\n";
}

std::string PredictionLines::line(std::span<const float> logits) const {
  return (format_ == PredictionFormat::jsonl ? json_line : tsv_line)(task_, logits, labels_);
}

PredictionFormat prediction_format(const std::string& path) {
  struct Ending {
    std::string_view text;
    PredictionFormat format;
  };
  constexpr Ending kEndings[] = {{".jsonl", PredictionFormat::jsonl}, {".ndjson", PredictionFormat::jsonl}, {".tsv", PredictionFormat::tsv},
                                 {".txt", PredictionFormat::tsv}};
  const std::string name = path.substr(path.rfind('/') + 1);
  for (const Ending& ending : kEndings) {
    if (name.ends_with(ending.text)) return ending.format;
  }
  if (name.find('.') == name.npos) return PredictionFormat::tsv;
  throw Error(ErrorCode::invalid_argument, "--output " + printable(path) + ": predictions are written as .tsv or .jsonl");
}

}  // namespace dstore
