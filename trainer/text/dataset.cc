#include "trainer/text/dataset.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/bytes.h"
#include "base/parallel.h"
#include "dstore/error.h"

namespace dstore {
namespace {

[[noreturn]] void fail_at(const TextTable& table, const TextRow& row, const std::string& what) {
  throw Error(ErrorCode::invalid_argument, printable(table.path) + ":" + std::to_string(row.line) + ": " + what);
}

std::int32_t known_label(const TextTable& table, const TextRow& row, const std::string& label, const LabelMap& labels) {
  if (const auto id = labels.find(label)) return *id;
  fail_at(table, row, "unknown label \"" + printable(label) + "\" (" + labels.description() + ")");
}

void set_class(Example& example, const TextTable& table, const TextRow& row, const LabelMap& labels) {
  example.label = known_label(table, row, row.label, labels);
}

void set_classes(Example& example, const TextTable& table, const TextRow& row, const LabelMap& labels) {
  for (const std::string& label : row.labels) example.labels.push_back(known_label(table, row, label, labels));
  std::sort(example.labels.begin(), example.labels.end());
  const auto twin = std::adjacent_find(example.labels.begin(), example.labels.end());
  if (twin != example.labels.end()) {
    fail_at(table, row, "label \"" + printable(labels.names()[static_cast<std::size_t>(*twin)]) + "\" stands there twice");
  }
}

void set_value(Example& example, const TextTable& table, const TextRow& row, const LabelMap&) {
  const char* end = row.label.data() + row.label.size();
  const auto [stop, error] = std::from_chars(row.label.data(), end, example.value);
  if (row.label.empty() || error != std::errc() || stop != end || !std::isfinite(example.value)) {
    fail_at(table, row, "label \"" + printable(row.label) + "\" is not a finite number (regression)");
  }
}

struct TargetRow {
  TaskKind task;
  LabelForm form;
  void (*set)(Example&, const TextTable&, const TextRow&, const LabelMap&);
};
constexpr TargetRow kTargets[] = {
    {TaskKind::classification, LabelForm::one, set_class},
    {TaskKind::multi_label, LabelForm::list, set_classes},
    {TaskKind::regression, LabelForm::one, set_value},
};

const TargetRow& target_row(TaskKind task) {
  return *std::find_if(std::begin(kTargets), std::end(kTargets), [&](const TargetRow& row) { return row.task == task; });
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == text.npos; }

}  // namespace

std::vector<std::uint32_t> Dataset::lengths() const {
  std::vector<std::uint32_t> out;
  out.reserve(examples.size());
  for (const Example& example : examples) out.push_back(static_cast<std::uint32_t>(example.encoding.size()));
  return out;
}

void require_texts(const Dataset& dataset) {
  if (dataset.empty_texts < dataset.examples.size()) return;
  throw Error(ErrorCode::invalid_argument, printable(dataset.path) + ": every text is empty; name the column with the texts with --text-column");
}

LabelForm label_form(TaskKind task) { return target_row(task).form; }

Dataset encode_table(const TextTable& table, const WordPieceTokenizer& tokenizer, const LabelMap& labels,
                     const EncodeOptions& options) {
  Dataset out;
  out.path = table.path;
  out.sha256 = table.sha256;
  out.task = options.task;
  out.classes = labels.size();
  out.labelled = table.has_label();
  out.empty_texts = static_cast<std::size_t>(
      std::count_if(table.rows.begin(), table.rows.end(), [](const TextRow& row) { return is_blank(row.text) && is_blank(row.pair); }));
  out.examples.resize(table.rows.size());
  const TargetRow& target = target_row(options.task);
  for (std::size_t i = 0; out.labelled && i < table.rows.size(); ++i) target.set(out.examples[i], table, table.rows[i], labels);
  constexpr std::size_t kRowsAtOnce = 512;
  std::vector<std::size_t> truncated((table.rows.size() + kRowsAtOnce - 1) / kRowsAtOnce);
  parallel_for(truncated.size(), 0, [&](std::size_t part) {
    for (std::size_t i = part * kRowsAtOnce; i < std::min((part + 1) * kRowsAtOnce, table.rows.size()); ++i) {
      const TextRow& row = table.rows[i];
      const auto encoded = [&](std::size_t limit) {
        return table.has_pair() ? tokenizer.encode_pair(row.text, row.pair, limit, options.truncation)
                                : tokenizer.encode(row.text, limit, options.truncation);
      };
      Encoding& encoding = out.examples[i].encoding = encoded(0);
      if (encoding.size() > options.max_length) {
        encoding = encoded(options.max_length);
        ++truncated[part];
      }
    }
  });
  out.truncated = std::accumulate(truncated.begin(), truncated.end(), std::size_t{0});
  return out;
}

}  // namespace dstore
