#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/text/table.h"

namespace dstore {

/// Class names in the order of their ids; no duplicates, at least two.
class LabelMap {
 public:
  LabelMap() = default;
  /// A model's id2label, in id order. Error{invalid_argument} on fewer than two or duplicates. `origin`: who knows them, for messages.
  explicit LabelMap(std::vector<std::string> names, std::string origin = {});
  /// The labels of training data: in numeric order if all are integers, else sorted by bytes.
  /// Error{invalid_argument} if all rows have the same (nothing to learn), or where one is empty.
  static LabelMap from_table(const TextTable& table);
  /// id2label of a config.json ("0".."n-1" -> name; the placeholders LABEL_0.. stand for the labels 0..); nullopt if
  /// the file has none.
  static std::optional<LabelMap> from_config(std::string_view config_json, std::string_view where);

  const std::vector<std::string>& names() const { return names_; }
  std::size_t size() const { return names_.size(); }
  std::optional<std::int32_t> find(std::string_view name) const;
  /// "those of train.tsv: a, b, c", short enough for a message.
  std::string description() const;

 private:
  std::vector<std::string> names_;
  std::vector<std::int32_t> by_name_;  ///< ids sorted by name
  std::string origin_;
};

/// The labels of one row: none, one or several by table.labels.
std::vector<std::string> row_labels(const TextTable& table, const TextRow& row);
/// Error{invalid_argument} where all rows are labelled alike.
void require_different_labels(const TextTable& table);

}  // namespace dstore
