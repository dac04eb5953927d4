#include "trainer/text/label_map.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "base/bytes.h"
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

}  // namespace

LabelMap::LabelMap(std::vector<std::string> names, std::string origin)
    : names_(std::move(names)), by_name_(names_.size()), origin_(std::move(origin)) {
  if (names_.size() < 2) {
    throw Error(ErrorCode::invalid_argument, (origin_.empty() ? "" : origin_ + ": ") + "classification needs at least two labels");
  }
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

std::string LabelMap::description() const { return (origin_.empty() ? "known: " : "those of " + origin_ + ": ") + listed(names_); }

std::vector<std::string> row_labels(const TextTable& table, const TextRow& row) {
  if (!table.has_label()) return {};
  return table.labels == LabelForm::list ? row.labels : std::vector<std::string>{row.label};
}

void require_different_labels(const TextTable& table) {
  std::vector<std::string> first = row_labels(table, table.rows.front());
  std::sort(first.begin(), first.end());
  const bool alike = std::all_of(table.rows.begin(), table.rows.end(), [&](const TextRow& row) {
    std::vector<std::string> labels = row_labels(table, row);
    std::sort(labels.begin(), labels.end());
    return labels == first;
  });
  if (!alike) return;
  const std::string what = first.empty()       ? "no label"
                           : first.size() == 1 ? "the label \"" + listed(first) + "\""
                                               : "the labels \"" + listed(first) + "\"";
  throw Error(ErrorCode::invalid_argument, printable(table.path) + ": every row has " + what + ": nothing to learn (column \"" +
                                               printable(table.label_column) + "\")");
}

LabelMap LabelMap::from_table(const TextTable& table) {
  std::vector<std::string> names;
  for (const TextRow& row : table.rows) {
    for (std::string& label : row_labels(table, row)) {
      if (label.empty()) throw Error(ErrorCode::invalid_argument, printable(table.path) + ":" + std::to_string(row.line) + ": empty label");
      names.push_back(std::move(label));
    }
  }
  require_different_labels(table);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (std::all_of(names.begin(), names.end(), [](const std::string& name) { return integer(name).has_value(); })) {
    std::stable_sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return *integer(a) < *integer(b); });
  }
  return LabelMap(std::move(names), printable(table.path));
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
  return LabelMap(std::move(names), std::string(where));
}

}  // namespace dstore
