#include "trainer/loop/result.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/decimal.h"
#include "tensor/safetensors.h"
#include "trainer/loop/prediction_lines.h"
#include "trainer/model/float_cast.h"

namespace dstore {
namespace {

struct ChangedTensor {
  TensorInfo info;
  Bytes bytes;
};

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

std::string between_commas(const std::vector<std::int32_t>& numbers) {
  std::string text;
  for (const std::int32_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

TensorInfo info_of(const Parameter& p) { return {p.name, p.dtype, p.shape, 0}; }

}  // namespace

ChangedCounts write_tensors(Network& network, const TensorSource& base, const std::string& path) {
  ChangedCounts counts;
  std::vector<ChangedTensor> changed;
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    const Parameter& p = network.parameters()[i];
    const std::span<const float> values = network.values(i);
    ChangedTensor tensor{info_of(p), {}};
    if (!p.source) {
      counts.finite = counts.finite && all_finite(values);
      const auto raw = std::as_bytes(values);
      tensor.bytes.assign(raw.begin(), raw.end());
    } else {
      std::vector<float> before(p.count);
      read_as_float(base, p, before);
      tensor.bytes.resize(base.tensors()[*p.source].bytes);
      base.read(*p.source, 0, tensor.bytes);
      std::uint64_t nonzero = 0;
      for (std::size_t j = 0; j < values.size(); ++j) nonzero += std::bit_cast<std::uint32_t>(values[j]) != std::bit_cast<std::uint32_t>(before[j]);
      const std::uint64_t stored = nonzero == 0 ? 0 : store_changed(p.dtype, values, before, tensor.bytes);
      if (!p.is_head) {
        counts.nonzero += nonzero;
        counts.changed += stored;
      }
      if (stored == 0) continue;
      std::vector<float> after(p.count);
      to_float(p.dtype, tensor.bytes, after);
      for (std::size_t j = 0; j < after.size(); ++j) {
        const bool differs = std::bit_cast<std::uint32_t>(after[j]) != std::bit_cast<std::uint32_t>(before[j]);
        counts.finite = counts.finite && (!differs || std::isfinite(after[j]));
      }
    }
    tensor.info.bytes = tensor.bytes.size();
    changed.push_back(std::move(tensor));
  }
  if (!counts.finite) return counts;

  std::vector<TensorInfo> infos;
  for (const ChangedTensor& tensor : changed) infos.push_back(tensor.info);
  const SafetensorsPlan plan = write_safetensors_header(infos, {{"format", "pt"}});
  AtomicFile file(posix_filesystem(), path);
  file.write(plan.header);
  for (const std::size_t at : plan.order) file.write(changed[at].bytes);
  file.commit();
  return counts;
}

std::string task_config(const std::string& base_config, const ModelFamily& family, const TaskData& data, Pooling pooling) {
  auto config = nlohmann::ordered_json::parse(base_config);
  config["architectures"] = {std::string(family.architecture)};
  config.erase("num_labels");
  auto id2label = nlohmann::ordered_json::object(), label2id = nlohmann::ordered_json::object();
  if (data.task == TaskKind::regression) {
    id2label["0"] = "LABEL_0";
    label2id["LABEL_0"] = 0;
  }
  for (std::size_t i = 0; i < data.labels.size(); ++i) {
    id2label[std::to_string(i)] = data.labels.names()[i];
    label2id[data.labels.names()[i]] = i;
  }
  config["id2label"] = std::move(id2label);
  config["label2id"] = std::move(label2id);
  config["problem_type"] = std::string(task_info(data.task).problem_type);
  config.erase("dstore_pooling");
  if (pooling != Pooling::first_token) config["dstore_pooling"] = std::string(pooling_name(pooling));
  return config.dump(2) + "\n";
}

std::string stage_json(const std::string& base_prefix, const std::optional<ObjectId>& trained_from,
                       const std::map<std::string, std::string>& facts, const std::vector<StagedMetric>& metrics) {
  nlohmann::ordered_json stage = {{"version", 1}, {"base_prefix", base_prefix}};
  if (trained_from) stage["model_commit"] = trained_from->hex();
  stage["training"] = facts;
  stage["metrics"] = nlohmann::ordered_json::array();
  for (const StagedMetric& m : metrics) {
    stage["metrics"].push_back({{"split", m.split}, {"metric", m.metric.name}, {"value", shortest_decimal(m.metric.value)}, {"n", m.n},
                                {"data_sha256", m.data_sha256}});
  }
  return stage.dump(2) + "\n";
}

void write_text(const std::string& path, const std::string& text) { write_file_atomically(posix_filesystem(), path, as_bytes(text)); }

void write_outcomes(const Predictions& predictions, const Dataset& dataset, const std::string& path) {
  std::string text = "truth\tpredicted\n";
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const Example& example = dataset.examples[i];
    if (dataset.task == TaskKind::regression) {
      text += shortest_decimal(example.value) + "\t" + shortest_decimal(static_cast<double>(predictions.logits[i])) + "\n";
    } else if (dataset.task == TaskKind::multi_label) {
      text += between_commas(example.labels) + "\t" + between_commas(chosen_labels(predictions.of(i))) + "\n";
    } else {
      text += std::to_string(example.label) + "\t" + std::to_string(predictions.label(i)) + "\n";
    }
  }
  write_text(path, text);
}

}  // namespace dstore
