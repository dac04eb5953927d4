#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "trainer/loop/options.h"
#include "trainer/text/metrics.h"

namespace dstore {

/// What a network says about each example, in the dataset's order.
struct Predictions {
  std::size_t outputs = 0;
  std::vector<float> logits;  ///< [examples, outputs]
  std::size_t size() const { return outputs == 0 ? 0 : logits.size() / outputs; }
  std::span<const float> of(std::size_t example) const { return std::span(logits).subspan(example * outputs, outputs); }
  std::int32_t label(std::size_t example) const;
  bool finite() const;
};

/// Gives up between two batches where interrupted(): then the logits are incomplete, and of no use.
Predictions predict(Network& network, const Dataset& dataset, std::int32_t pad_id, std::size_t batch);
/// Those of the model as it will be stored: trained values are rounded to the base's dtypes, and put back afterwards.
Predictions predict_as_stored(Network& network, const Dataset& dataset, std::int32_t pad_id);
/// The first is the one that counts.
std::vector<MetricValue> score(const Predictions& predictions, const Dataset& dataset);

WordPieceTokenizer load_tokenizer(const Model& model);
/// config.json's content. Error{invalid_argument} that says what is missing.
std::string load_config(const Model& model);

/// A task ready to predict.
struct TrainedModel {
  std::unique_ptr<Model> model;
  ModelConfig config;
  LabelMap labels;  ///< empty for regression
  EncodeOptions encoding;
  std::optional<WordPieceTokenizer> tokenizer;
  std::int32_t pad_id = 0;
  std::optional<Network> network;
};
/// Error{invalid_argument} for a model without a head or without names for its labels.
TrainedModel load_trained_model(const std::string& what, const std::string& repository, std::size_t max_length, unsigned threads,
                                const std::string& device);

/// A task with data to look at it with.
struct TrainedTask : TrainedModel {
  Dataset dataset;
};
/// Error{invalid_argument} for a model without a head, bad data.
TrainedTask load_trained_task(const std::string& what, const std::string& repository, const DataOptions& data, unsigned threads,
                              const std::string& device);

/// `dstore eval`.
int run_evaluation(const EvalOptions& options);

}  // namespace dstore
