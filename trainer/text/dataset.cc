#include "trainer/text/dataset.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/bytes.h"
#include "base/parallel.h"
#include "trainer/text/json_field.h"

namespace dstore {
namespace {

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "a, b, c" and how many more, short enough for one line.
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 30;
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) out += (i ? ", " : "") + printable(names[i]);
  if (names.size() > kShown) out += " and " + std::to_string(names.size() - kShown) + " more";
  return out;
}

[[noreturn]] void fail_at(const TextTable& table, const TextRow& row, const std::string& what) {
  throw Error(ErrorCode::invalid_argument, printable(table.path) + ":" + std::to_string(row.line) + ": " + what);
}

double finite_number(const TextTable& table, const TextRow& row) {
  double value = 0;
  const char* end = row.label.data() + row.label.size();
  const auto [stop, error] = std::from_chars(row.label.data(), end, value);
  if (row.label.empty() || error != std::errc() || stop != end || !std::isfinite(value)) {
    fail_at(table, row, "label \"" + printable(row.label) + "\" is not a finite number (regression)");
  }
  return value;
}

std::int32_t known_label(const TextTable& table, const TextRow& row, const LabelMap& labels) {
  if (const auto id = labels.find(row.label)) return *id;
  fail_at(table, row, "unknown label \"" + printable(row.label) + "\" (known: " + listed(labels.names()) + ")");
}

}  // namespace

LabelMap::LabelMap(std::vector<std::string> names) : names_(std::move(names)), by_name_(names_.size()) {
  if (names_.size() < 2) throw Error(ErrorCode::invalid_argument, "classification needs at least two labels");
  std::iota(by_name_.begin(), by_name_.end(), 0);
  const auto name = [&](std::int32_t id) -> const std::string& { return names_[static_cast<std::size_t>(id)]; };
  std::sort(by_name_.begin(), by_name_.end(), [&](std::int32_t a, std::int32_t b) { return name(a) < name(b); });
  const auto twin = std::adjacent_find(by_name_.begin(), by_name_.end(),
                                       [&](std::int32_t a, std::int32_t b) { return name(a) == name(b); });
  if (twin != by_name_.end()) {
    throw Error(ErrorCode::invalid_argument, "label \"" + printable(name(*twin)) + "\" stands for two classes");
  }
}

std::optional<std::int32_t> LabelMap::find(std::string_view wanted) const {
  const auto it = std::lower_bound(by_name_.begin(), by_name_.end(), wanted, [&](std::int32_t id, std::string_view text) {
    return names_[static_cast<std::size_t>(id)] < text;
  });
  if (it == by_name_.end() || names_[static_cast<std::size_t>(*it)] != wanted) return std::nullopt;
  return *it;
}

LabelMap LabelMap::from_table(const TextTable& table) {
  std::vector<std::string> names;
  for (const TextRow& row : table.rows) {
    if (row.label.empty()) fail_at(table, row, "empty label");
    names.push_back(row.label);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.size() < 2) {
    throw Error(ErrorCode::invalid_argument, printable(table.path) + ": every row has the label \"" + listed(names) +
                                                 "\": nothing to learn (column \"" + printable(table.label_column) + "\")");
  }
  if (std::all_of(names.begin(), names.end(), [](const std::string& name) { return integer(name).has_value(); })) {
    std::stable_sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return *integer(a) < *integer(b); });
  }
  return LabelMap(std::move(names));
}

std::optional<LabelMap> LabelMap::from_config(std::string_view config_json, std::string_view where) {
  const nlohmann::json config = parse_json(config_json, std::string(where));
  const JsonObject root(config, std::string(where));
  if (!root.find("id2label")) return std::nullopt;
  const JsonObject id2label = root.object("id2label");
  std::vector<std::string> names;
  bool placeholders = true;
  for (std::size_t id = 0; id < id2label.json().size(); ++id) {
    const std::string key = std::to_string(id);
    names.push_back(id2label.text(key.c_str()));
    placeholders = placeholders && names.back() == "LABEL_" + key;
  }
  if (names.size() < 2) return std::nullopt;
  if (placeholders) {
    for (std::size_t id = 0; id < names.size(); ++id) names[id] = std::to_string(id);
  }
  return LabelMap(std::move(names));
}

std::vector<std::uint32_t> Dataset::lengths() const {
  std::vector<std::uint32_t> out;
  out.reserve(examples.size());
  for (const Example& example : examples) out.push_back(static_cast<std::uint32_t>(example.encoding.size()));
  return out;
}

Dataset encode_table(const TextTable& table, const WordPieceTokenizer& tokenizer, const LabelMap& labels,
                     const EncodeOptions& options) {
  Dataset out;
  out.path = table.path;
  out.sha256 = table.sha256;
  out.task = options.task;
  out.labelled = table.has_label();
  out.examples.resize(table.rows.size());
  for (std::size_t i = 0; out.labelled && i < table.rows.size(); ++i) {
    if (options.task == TaskKind::regression) {
      out.examples[i].value = finite_number(table, table.rows[i]);
    } else {
      out.examples[i].label = known_label(table, table.rows[i], labels);
    }
  }
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
