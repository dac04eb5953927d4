#pragma once

#include <optional>
#include <string>

#include "dstore/model.h"
#include "trainer/loop/options.h"
#include "trainer/text/dataset.h"

namespace dstore {

/// Everything read and encoded that a run needs besides the base's tensors.
struct TaskData {
  TaskKind task = TaskKind::classification;
  LabelMap labels;  ///< empty for regression
  bool same_task = true;  ///< the model's own labels: its head, if it has one, is a start
  std::int32_t pad_id = 0;
  std::size_t max_length = 0;  ///< tokens a text is cut to: what was asked for, or the model's positions
  std::string format, text_column, pair_column, label_column;  ///< of the training data, as chosen
  Dataset train;
  std::optional<Dataset> dev, test;

  std::int64_t outputs() const { return labels.size() == 0 ? 1 : static_cast<std::int64_t>(labels.size()); }
};

/// Reads the files. The labels are the model's own where it is a task that knows every label of the training data, else
/// those of the training data. Error{invalid_argument} for bad files, with the place.
TaskData load_task_data(const Model& model, const std::string& config_json, const ModelConfig& config, const DataOptions& options);

/// Reads a file with the columns that the options name. Error{invalid_argument} where all its texts are empty.
Dataset load_dataset(const std::string& path, const DataOptions& options, const WordPieceTokenizer& tokenizer, const LabelMap& labels,
                     const EncodeOptions& encode, const ModelConfig& config);

/// Error{invalid_argument} if an example has token or type ids that the model has no embedding for.
void check_ids(const Dataset& dataset, const ModelConfig& config);

/// Entropy of the labels, the mean over them where they are several: the loss of always answering with their frequencies; nullopt for regression.
std::optional<double> prior_loss(const TaskData& data);

}  // namespace dstore
