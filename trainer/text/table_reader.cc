#include "trainer/text/table_reader.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace dstore {
namespace {

using nlohmann::ordered_json;

/// The object of one line; keys given twice are refused.
ordered_json parse_object(const TableBytes& bytes, std::uint32_t line, const std::string& text) {
  std::vector<std::string> keys;
  const auto note_keys = [&](int depth, ordered_json::parse_event_t event, ordered_json& value) {
    if (event == ordered_json::parse_event_t::key && depth == 1) keys.push_back(value.get<std::string>());
    return true;
  };
  ordered_json out = ordered_json::parse(text, note_keys, false);
  if (out.is_discarded() || !out.is_object()) bytes.fail(line, "not a JSON object");
  std::sort(keys.begin(), keys.end());
  const auto twin = std::adjacent_find(keys.begin(), keys.end());
  if (twin != keys.end()) bytes.fail(line, "the key \"" + printable(*twin) + "\" stands there twice");
  return out;
}

const ordered_json& value_at(const TableBytes& bytes, std::uint32_t line, const ordered_json& object, const std::string& key) {
  const auto it = object.find(key);
  if (it != object.end()) return *it;
  std::string keys;
  for (const auto& item : object.items()) keys += (keys.empty() ? "" : ", ") + printable(item.key());
  bytes.fail(line, "no key \"" + printable(key) + "\" (keys: " + keys + ")");
}

std::string plain_text(const TableBytes& bytes, std::uint32_t line, const std::string& key, const ordered_json& value) {
  if (!value.is_string()) bytes.fail(line, "\"" + printable(key) + "\" is not a string");
  std::string out = value.get<std::string>();
  if (out.find('\0') != out.npos) bytes.fail(line, "\"" + printable(key) + "\" holds a NUL character");
  return out;
}

std::string label_text(const TableBytes& bytes, std::uint32_t line, const std::string& key, const ordered_json& value) {
  if (value.is_string()) return plain_text(bytes, line, key, value);
  if (!value.is_number() && !value.is_boolean()) {
    bytes.fail(line, "\"" + printable(key) + "\" is neither a string nor a number" + (value.is_array() ? " (lists are for --task multi-label)" : ""));
  }
  return value.dump();
}

std::vector<std::string> label_list(const TableBytes& bytes, std::uint32_t line, const std::string& key, const ordered_json& value) {
  if (!value.is_array()) bytes.fail(line, "\"" + printable(key) + "\" is not a list of labels");
  std::vector<std::string> out;
  for (const ordered_json& item : value) out.push_back(label_text(bytes, line, key, item));
  return out;
}

/// "a, b" -> a and b; an empty field has none.
std::vector<std::string> split_labels(const TableBytes& bytes, std::uint32_t line, std::string_view field) {
  const auto trimmed = [](std::string_view text) {
    const std::size_t first = text.find_first_not_of(' ');
    return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(' ') - first + 1);
  };
  std::vector<std::string> out;
  if (trimmed(field).empty()) return out;
  for (;;) {
    const std::size_t end = std::min(field.find(','), field.size());
    out.emplace_back(trimmed(field.substr(0, end)));
    if (out.back().empty()) bytes.fail(line, "an empty name between the commas of the labels");
    if (end == field.size()) return out;
    field.remove_prefix(end + 1);
  }
}

}  // namespace

void TableReader::begin(const TableBytes& bytes, std::uint32_t line, std::vector<std::string> names) {
  columns_ = choose_columns(bytes, line, names, options_);
  names_ = std::move(names);
  table_.text_column = names_[columns_.text];
  if (columns_.pair) table_.pair_column = names_[*columns_.pair];
  if (columns_.label && table_.labels != LabelForm::ignored) table_.label_column = names_[*columns_.label];
}

/// TSV and CSV: a header, then records of as many fields.
void TableReader::add_fields(const TableBytes& bytes, std::uint32_t line, std::vector<std::string>& fields) {
  if (names_.empty()) return begin(bytes, line, fields);
  if (fields.size() != names_.size()) {
    bytes.fail(line, std::to_string(fields.size()) + (fields.size() == 1 ? " column" : " columns") + ", but the header has " +
                         std::to_string(names_.size()));
  }
  TextRow row;
  row.line = line;
  row.text = std::move(fields[columns_.text]);
  if (table_.has_pair()) row.pair = std::move(fields[*columns_.pair]);
  if (table_.has_label()) {
    if (table_.labels == LabelForm::list) {
      row.labels = split_labels(bytes, line, fields[*columns_.label]);
    } else {
      row.label = std::move(fields[*columns_.label]);
    }
  }
  table_.rows.push_back(std::move(row));
}

void TableReader::add_object(const TableBytes& bytes, std::uint32_t line, const std::string& text) {
  const ordered_json object = parse_object(bytes, line, text);
  if (names_.empty()) {
    std::vector<std::string> names;
    for (const auto& item : object.items()) names.push_back(item.key());
    begin(bytes, line, std::move(names));
  }
  const auto value = [&](const std::string& key) -> const ordered_json& { return value_at(bytes, line, object, key); };
  const auto string = [&](const std::string& key) { return plain_text(bytes, line, key, value(key)); };
  TextRow row;
  row.line = line;
  row.text = string(table_.text_column);
  if (table_.has_pair()) row.pair = string(table_.pair_column);
  if (table_.has_label()) {
    const std::string& key = table_.label_column;
    if (table_.labels == LabelForm::list) {
      row.labels = label_list(bytes, line, key, value(key));
    } else {
      row.label = label_text(bytes, line, key, value(key));
    }
  }
  table_.rows.push_back(std::move(row));
}

void TableReader::read(const TableBytes& bytes) {
  const auto add = [&](std::uint32_t line, std::vector<std::string>& fields) { add_fields(bytes, line, fields); };
  switch (table_.format) {
    case TableFormat::tsv: return each_tsv_record(bytes, add);
    case TableFormat::csv: return each_csv_record(bytes, add);
    case TableFormat::jsonl:
      return each_jsonl_record(bytes, [&](std::uint32_t line, std::vector<std::string>& fields) { add_object(bytes, line, fields[0]); });
  }
}

}  // namespace dstore
