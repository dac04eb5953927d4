#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/text/label_map.h"
#include "trainer/text/task_kind.h"
#include "trainer/text/wordpiece.h"

namespace dstore {

struct Example {
  Encoding encoding;
  std::int32_t label = -1;           ///< classification; -1 where the table has no labels
  std::vector<std::int32_t> labels;  ///< multi-label, may be none
  double value = 0;                  ///< regression
};

struct Dataset {
  std::string path;
  ObjectId sha256;
  TaskKind task = TaskKind::classification;
  std::size_t classes = 0;  ///< 0: regression
  std::vector<Example> examples;
  std::size_t truncated = 0;    ///< examples that were cut to max_length
  std::size_t empty_texts = 0;  ///< examples without any text
  bool labelled = false;

  std::vector<std::uint32_t> lengths() const;
};

struct EncodeOptions {
  TaskKind task = TaskKind::classification;
  std::size_t max_length = 128;
  Truncation truncation = Truncation::longest_first;
};

/// How labels stand in a table of that task.
LabelForm label_form(TaskKind task);

/// Encodes every row. Classes: an unknown label is Error{invalid_argument} "PATH:LINE: ..." that lists the known
/// ones. Regression: labels are finite decimal numbers, strictly. `labels` is not used for regression.
Dataset encode_table(const TextTable& table, const WordPieceTokenizer& tokenizer, const LabelMap& labels,
                     const EncodeOptions& options);

/// Error{invalid_argument} where all texts are empty.
void require_texts(const Dataset& dataset);

}  // namespace dstore
