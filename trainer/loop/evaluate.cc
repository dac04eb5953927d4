#include "trainer/loop/evaluate.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/bytes.h"
#include "base/decimal.h"
#include "base/parallel.h"
#include "dstore/error.h"
#include "trainer/loop/interrupt.h"
#include "trainer/loop/prediction_lines.h"
#include "trainer/loop/task_data.h"
#include "trainer/model/float_cast.h"
#include "trainer/optim/threads.h"

namespace dstore {
namespace {

/// The number of classes that a task's classifier has; Error where there is none.
std::int64_t head_outputs(const Model& model, const ModelConfig& config) {
  const std::string name = tensor_name(*find_family(config.model_type), Role::head_w, 0);
  const auto at = model.tensors().find(name);
  if (!at || model.tensors().tensors()[*at].shape.size() != 2) {
    throw Error(ErrorCode::invalid_argument, model.description() + " has no " + name + ": it is a base, not a trained task");
  }
  return static_cast<std::int64_t>(model.tensors().tensors()[*at].shape[0]);
}

/// As transformers reads problem_type; without one, a single output is a regression.
TaskKind task_kind(const std::string& config_json, std::int64_t outputs, const std::string& where) {
  const nlohmann::json type = nlohmann::json::parse(config_json).value("problem_type", nlohmann::json());
  if (type.is_null()) return outputs == 1 ? TaskKind::regression : TaskKind::classification;
  std::string known;
  for (const TaskInfo& task : task_infos()) {
    if (type == std::string(task.problem_type)) return task.kind;
    known += (known.empty() ? "" : ", ") + std::string(task.problem_type);
  }
  throw Error(ErrorCode::unsupported, where + ": problem_type " + printable(type.dump()) + " is not supported (" + known + ")");
}

/// The names of a row's labels, between commas; a regression's value.
std::string answer(const Predictions& predictions, std::size_t example, const LabelMap& labels, TaskKind task) {
  const std::span<const float> row = predictions.of(example);
  if (task == TaskKind::regression) return shortest_decimal(static_cast<double>(row[0]));
  if (task == TaskKind::classification) return labels.names()[static_cast<std::size_t>(predictions.label(example))];
  std::string text;
  for (const std::int32_t label : chosen_labels(row)) text += (text.empty() ? "" : ",") + labels.names()[static_cast<std::size_t>(label)];
  return text;
}

void write_predictions(const std::string& path, const Predictions& predictions, const LabelMap& labels, TaskKind task) {
  std::string text = "index\tlabel";
  for (std::size_t j = 0; j < predictions.outputs; ++j) text += "\tlogit_" + std::to_string(j);
  text += '\n';
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    text += std::to_string(i) + '\t' + answer(predictions, i, labels, task);
    for (const float logit : predictions.of(i)) text += '\t' + shortest_decimal(static_cast<double>(logit));
    text += '\n';
  }
  write_file_atomically(posix_filesystem(), path, as_bytes(text));
}

/// What the numbers may depend on beside model and data.
std::map<std::string, std::string> environment_of(const EvalOptions& options) {
  return {{"batch", std::to_string(options.batch)},     {"cpu_capability", cpu_capability()}, {"device", options.device},
          {"libtorch", libtorch_version()},             {"max_length", std::to_string(options.data.max_length)}};
}

}  // namespace

std::int32_t Predictions::label(std::size_t example) const {
  const std::span<const float> row = of(example);
  return static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

bool Predictions::finite() const {
  return std::all_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); });
}

Predictions predict(Network& network, const Dataset& dataset, std::int32_t pad_id, std::size_t batch_size) {
  Predictions predictions;
  predictions.outputs = static_cast<std::size_t>(network.table().outputs);
  predictions.logits.resize(dataset.examples.size() * predictions.outputs);
  for (const std::vector<std::uint32_t>& examples : evaluation_batches(dataset.lengths(), batch_size)) {
    if (interrupted()) break;
    const std::vector<float> logits = network.logits(make_batch(dataset, examples, pad_id));
    for (std::size_t i = 0; i < examples.size(); ++i) {
      std::copy_n(logits.data() + i * predictions.outputs, predictions.outputs, predictions.logits.data() + examples[i] * predictions.outputs);
    }
  }
  return predictions;
}

Predictions predict_as_stored(Network& network, const Dataset& dataset, std::int32_t pad_id) {
  std::vector<std::pair<std::size_t, std::vector<float>>> exact;
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    const Parameter& p = network.parameters()[i];
    if (!p.trainable || (p.dtype != DType::bf16 && p.dtype != DType::f16)) continue;
    const std::span<float> values = network.values(i);
    exact.emplace_back(i, std::vector<float>(values.begin(), values.end()));
    round_to(p.dtype, values);
  }
  if (!exact.empty()) network.values_changed();
  Predictions predictions = predict(network, dataset, pad_id, 64);
  for (const auto& [index, values] : exact) std::copy(values.begin(), values.end(), network.values(index).begin());
  if (!exact.empty()) network.values_changed();
  return predictions;
}

namespace {

std::vector<MetricValue> score_classes(const Predictions& predictions, const Dataset& dataset) {
  std::vector<std::int32_t> truth, predicted;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    truth.push_back(dataset.examples[i].label);
    predicted.push_back(predictions.label(i));
  }
  return classification_metrics(truth, predicted, predictions.outputs);
}

std::vector<MetricValue> score_labels(const Predictions& predictions, const Dataset& dataset) {
  std::vector<std::uint8_t> truth(predictions.logits.size()), predicted;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    for (const std::int32_t label : dataset.examples[i].labels) truth[i * predictions.outputs + static_cast<std::size_t>(label)] = 1;
  }
  for (const float logit : predictions.logits) predicted.push_back(label_is_chosen(logit));
  return multi_label_metrics(truth, predicted, predictions.outputs);
}

std::vector<MetricValue> score_values(const Predictions& predictions, const Dataset& dataset) {
  std::vector<double> truth;
  for (const Example& example : dataset.examples) truth.push_back(example.value);
  return regression_metrics(truth, std::vector<double>(predictions.logits.begin(), predictions.logits.end()));
}

struct ScoreRow {
  TaskKind task;
  std::vector<MetricValue> (*score)(const Predictions&, const Dataset&);
};
constexpr ScoreRow kScores[] = {{TaskKind::classification, score_classes}, {TaskKind::multi_label, score_labels},
                                {TaskKind::regression, score_values}};

}  // namespace

std::vector<MetricValue> score(const Predictions& predictions, const Dataset& dataset) {
  const auto row = std::find_if(std::begin(kScores), std::end(kScores), [&](const ScoreRow& r) { return r.task == dataset.task; });
  return row->score(predictions, dataset);
}

WordPieceTokenizer load_tokenizer(const Model& model) {
  return WordPieceTokenizer::load({model.description(), model.side_file("tokenizer.json"), model.side_file("vocab.txt"),
                                   model.side_file("tokenizer_config.json")});
}

std::string load_config(const Model& model) {
  auto config = model.side_file("config.json");
  if (!config) throw Error(ErrorCode::invalid_argument, model.description() + " has no config.json: dstore cannot know how to compute it");
  return *std::move(config);
}

TrainedModel load_trained_model(const std::string& what, const std::string& repository, std::size_t max_length, unsigned threads,
                                const std::string& device) {
  TrainedModel trained;
  trained.model = open_model(what, repository);
  const Model& model = *trained.model;
  set_training_threads(threads ? threads : available_threads());
  const std::string config_json = load_config(model);
  trained.config = ModelConfig::parse(config_json, model.description());
  const std::int64_t outputs = head_outputs(model, trained.config);
  trained.encoding.task = task_kind(config_json, outputs, model.description());
  trained.encoding.max_length = std::min(max_length, static_cast<std::size_t>(trained.config.positions));
  if (trained.encoding.task != TaskKind::regression) {
    auto known = LabelMap::from_config(config_json, model.description());
    if (!known || static_cast<std::int64_t>(known->size()) != outputs) {
      throw Error(ErrorCode::invalid_argument, model.description() + ": config.json has no id2label with " + std::to_string(outputs) + " names");
    }
    trained.labels = *std::move(known);
  }
  trained.tokenizer = load_tokenizer(model);
  trained.pad_id = trained.tokenizer->pad_id();
  trained.network.emplace(model.tensors(), match_parameters(model.tensors(), trained.config, outputs, model.description()),
                          NetworkOptions{trained.encoding.task, 0, parse_device(device)});
  return trained;
}

TrainedTask load_trained_task(const std::string& what, const std::string& repository, const DataOptions& data, unsigned threads,
                              const std::string& device) {
  TrainedTask task{load_trained_model(what, repository, data.max_length, threads, device), {}};
  task.dataset = load_dataset(data.data, data, *task.tokenizer, task.labels, task.encoding, task.config);
  return task;
}

int run_evaluation(const EvalOptions& options) {
  TrainedTask task = load_trained_task(options.model, options.repository, options.data, options.threads, options.device);
  const Model* model = task.model.get();
  const Dataset& dataset = task.dataset;
  const Predictions predictions = predict(*task.network, dataset, task.pad_id, options.batch);
  if (!predictions.finite()) {
    throw Error(ErrorCode::invalid_argument, model->description() + ": its outputs on " + printable(options.data.data) + " are not finite");
  }
  if (!options.predictions.empty()) write_predictions(options.predictions, predictions, task.labels, dataset.task);

  const std::vector<MetricValue> metrics = score(predictions, dataset);
  if (options.json || !options.out.empty()) {
    nlohmann::ordered_json out = {{"model", options.model}, {"data", options.data.data}, {"data_sha256", dataset.sha256.hex()},
                                  {"n", predictions.size()}};
    for (const MetricValue& metric : metrics) out["metrics"][metric.name] = shortest_decimal(metric.value);
    if (!options.out.empty()) {
      out["environment"] = environment_of(options);
      write_file_atomically(posix_filesystem(), options.out, as_bytes(out.dump()));
      return 0;
    }
    std::cout << out.dump() << '\n';
    return 0;
  }
  std::cout << model->description() << " on " << options.data.data << " (n = " << predictions.size() << ")\n";
  for (const MetricValue& metric : metrics) std::cout << "  " << metric.name << "  " << std::fixed << std::setprecision(4) << metric.value << '\n';
  return 0;
}

}  // namespace dstore
