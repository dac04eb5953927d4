#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/text/table.h"
#include "trainer/text/wordpiece.h"

namespace dstore {

enum class TaskKind { classification, regression };

/// Class names in the order of their ids; no duplicates, at least two.
class LabelMap {
 public:
  LabelMap() = default;
  /// A model's id2label, in id order. Error{invalid_argument} on fewer than two or duplicates.
  explicit LabelMap(std::vector<std::string> names);
  /// The labels of training data: in numeric order if all are integers, else sorted by bytes.
  /// Error{invalid_argument} if there is only one, or an empty one.
  static LabelMap from_table(const TextTable& table);
  /// id2label of a config.json ("0".."n-1" -> name; the placeholders LABEL_0.. stand for the labels 0..); nullopt if
  /// the file has none.
  static std::optional<LabelMap> from_config(std::string_view config_json, std::string_view where);

  const std::vector<std::string>& names() const { return names_; }
  std::size_t size() const { return names_.size(); }
  std::optional<std::int32_t> find(std::string_view name) const;

 private:
  std::vector<std::string> names_;
  std::vector<std::int32_t> by_name_;  ///< ids sorted by name
};

struct Example {
  Encoding encoding;
  std::int32_t label = -1;  ///< classification; -1 where the table has no labels
  double value = 0;         ///< regression
};

struct Dataset {
  std::string path;
  ObjectId sha256;
  TaskKind task = TaskKind::classification;
  std::vector<Example> examples;
  std::size_t truncated = 0;  ///< examples that were cut to max_length
  bool labelled = false;

  std::vector<std::uint32_t> lengths() const;
};

struct EncodeOptions {
  TaskKind task = TaskKind::classification;
  std::size_t max_length = 128;
  Truncation truncation = Truncation::longest_first;
};

/// Encodes every row. Classification: an unknown label is Error{invalid_argument} "PATH:LINE: ..." that lists the known
/// ones. Regression: labels are finite decimal numbers, strictly. `labels` is not used for regression.
Dataset encode_table(const TextTable& table, const WordPieceTokenizer& tokenizer, const LabelMap& labels,
                     const EncodeOptions& options);

}  // namespace dstore
