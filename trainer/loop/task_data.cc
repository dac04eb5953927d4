#include "trainer/loop/task_data.h"

#include <algorithm>
#include <cmath>

#include "base/bytes.h"
#include "dstore/error.h"
#include "trainer/loop/evaluate.h"

namespace dstore {
namespace {

TaskKind parse_task(const std::string& name) {
  if (name == "classification") return TaskKind::classification;
  if (name == "regression") return TaskKind::regression;
  throw Error(ErrorCode::invalid_argument, "--task " + printable(name) + ": classification or regression");
}

void choose_labels(const Model& model, const std::string& config_json, const TextTable& train, TaskData& data) {
  const auto known = LabelMap::from_config(config_json, model.description());
  data.same_task = known && std::all_of(train.rows.begin(), train.rows.end(), [&](const TextRow& row) { return known->find(row.label).has_value(); });
  data.labels = data.same_task ? *known : LabelMap::from_table(train);
}

}  // namespace

TaskData load_task_data(const Model& model, const std::string& config_json, const ModelConfig& config, const DataOptions& options) {
  TaskData data;
  data.task = parse_task(options.task);
  const WordPieceTokenizer tokenizer = load_tokenizer(model);
  data.pad_id = tokenizer.pad_id();
  EncodeOptions encode;
  encode.task = data.task;
  encode.max_length = data.max_length = std::min(options.max_length, static_cast<std::size_t>(config.positions));
  const TextTable train = read_text_table(posix_filesystem(), options.data, table_options(options));
  data.format = table_format_name(train.format);
  data.text_column = train.text_column;
  data.pair_column = train.pair_column;
  data.label_column = train.label_column;
  if (data.task == TaskKind::classification) choose_labels(model, config_json, train, data);
  const auto load = [&](const std::string& path) {
    return encode_table(read_text_table(posix_filesystem(), path, table_options(options)), tokenizer, data.labels, encode);
  };
  if (!options.dev.empty()) data.dev = load(options.dev);
  if (!options.test.empty()) data.test = load(options.test);
  data.train = encode_table(train, tokenizer, data.labels, encode);
  check_ids(data.train, config);
  if (data.dev) check_ids(*data.dev, config);
  if (data.test) check_ids(*data.test, config);
  return data;
}

void check_ids(const Dataset& dataset, const ModelConfig& config) {
  const auto most = [](const std::vector<std::int32_t>& ids) { return ids.empty() ? 0 : *std::max_element(ids.begin(), ids.end()); };
  for (const Example& example : dataset.examples) {
    if (most(example.encoding.ids) >= config.vocabulary) {
      throw Error(ErrorCode::invalid_argument, dataset.path + ": the tokenizer gives id " + std::to_string(most(example.encoding.ids)) +
                                                   ", but config.json's vocab_size is " + std::to_string(config.vocabulary));
    }
    if (most(example.encoding.type_ids) >= config.token_types) {
      throw Error(ErrorCode::invalid_argument, dataset.path + ": pairs need two token types, but config.json's type_vocab_size is " +
                                                   std::to_string(config.token_types));
    }
  }
}

std::optional<double> prior_loss(const TaskData& data) {
  if (data.task == TaskKind::regression) return std::nullopt;
  std::vector<double> counts(data.labels.size());
  for (const Example& example : data.train.examples) counts[static_cast<std::size_t>(example.label)] += 1;
  double entropy = 0;
  const auto total = static_cast<double>(data.train.examples.size());
  for (const double count : counts) {
    if (count > 0) entropy -= count / total * std::log(count / total);
  }
  return entropy;
}

}  // namespace dstore
