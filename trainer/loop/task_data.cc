#include "trainer/loop/task_data.h"

#include <algorithm>
#include <cmath>

#include "base/bytes.h"
#include "dstore/error.h"
#include "trainer/loop/evaluate.h"

namespace dstore {
namespace {

void choose_labels(const Model& model, const std::string& config_json, const TextTable& train, TaskData& data) {
  require_different_labels(train);
  if (data.task == TaskKind::regression) return;
  const auto known = LabelMap::from_config(config_json, model.description());
  const auto is_known = [&](const std::string& label) { return known->find(label).has_value(); };
  data.same_task = known && std::all_of(train.rows.begin(), train.rows.end(), [&](const TextRow& row) {
    const std::vector<std::string> labels = row_labels(train, row);
    return std::all_of(labels.begin(), labels.end(), is_known);
  });
  data.labels = data.same_task ? *known : LabelMap::from_table(train);
}

/// One text or two, as the training data.
void require_as_many_texts(const TextTable& train, const TextTable& other) {
  if (train.has_pair() == other.has_pair()) return;
  const TextTable& one = train.has_pair() ? other : train;
  const TextTable& two = train.has_pair() ? train : other;
  throw Error(ErrorCode::invalid_argument, printable(one.path) + " has one text a row, but " + printable(two.path) + " has pairs (column \"" +
                                               printable(two.pair_column) + "\"); name the second text with --pair-column");
}

Dataset encode(const TextTable& table, const WordPieceTokenizer& tokenizer, const LabelMap& labels, const EncodeOptions& options,
               const ModelConfig& config) {
  Dataset dataset = encode_table(table, tokenizer, labels, options);
  require_texts(dataset);
  check_ids(dataset, config);
  return dataset;
}

}  // namespace

TaskData load_task_data(const Model& model, const std::string& config_json, const ModelConfig& config, const DataOptions& options) {
  TaskData data;
  data.task = parse_task(options.task);
  const WordPieceTokenizer tokenizer = load_tokenizer(model);
  data.pad_id = tokenizer.pad_id();
  EncodeOptions encoding;
  encoding.task = data.task;
  encoding.max_length = data.max_length = std::min(options.max_length, static_cast<std::size_t>(config.positions));
  const TableOptions columns = table_options(options, label_form(data.task));
  const TextTable train = read_text_table(posix_filesystem(), options.data, columns);
  data.format = table_format_name(train.format);
  data.text_column = train.text_column;
  data.pair_column = train.pair_column;
  data.label_column = train.label_column;
  choose_labels(model, config_json, train, data);
  const auto load = [&](const std::string& path) {
    const TextTable table = read_text_table(posix_filesystem(), path, columns);
    require_as_many_texts(train, table);
    return encode(table, tokenizer, data.labels, encoding, config);
  };
  if (!options.dev.empty()) data.dev = load(options.dev);
  if (!options.test.empty()) data.test = load(options.test);
  data.train = encode(train, tokenizer, data.labels, encoding, config);
  return data;
}

Dataset load_dataset(const std::string& path, const DataOptions& options, const WordPieceTokenizer& tokenizer, const LabelMap& labels,
                     const EncodeOptions& encoding, const ModelConfig& config) {
  return encode(read_text_table(posix_filesystem(), path, table_options(options, label_form(encoding.task))), tokenizer, labels, encoding, config);
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
  for (const Example& example : data.train.examples) {
    if (example.label >= 0) counts[static_cast<std::size_t>(example.label)] += 1;
    for (const std::int32_t label : example.labels) counts[static_cast<std::size_t>(label)] += 1;
  }
  const auto surprise = [](double share) { return share > 0 ? -share * std::log(share) : 0; };
  const auto total = static_cast<double>(data.train.examples.size());
  double entropy = 0;
  for (const double count : counts) {
    entropy += surprise(count / total);
    if (data.task == TaskKind::multi_label) entropy += surprise(1 - count / total);
  }
  return data.task == TaskKind::multi_label ? entropy / static_cast<double>(counts.size()) : entropy;
}

}  // namespace dstore
