#include "trainer/text/table.h"

#include <algorithm>
#include <array>
#include <span>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "trainer/text/table_records.h"

namespace dstore {
namespace {

using nlohmann::ordered_json;

struct FormatRow {
  TableFormat format;
  std::string_view name;
  std::array<std::string_view, 2> extensions;
};
constexpr FormatRow kFormats[] = {
    {TableFormat::tsv, "tsv", {".tsv", ".txt"}},
    {TableFormat::csv, "csv", {".csv", ".csv"}},
    {TableFormat::jsonl, "jsonl", {".jsonl", ".ndjson"}},
};

TableFormat format_of(const std::string& path, const TableOptions& options) {
  if (options.format) return *options.format;
  std::string lower = path;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const FormatRow& row : kFormats) {
    for (const std::string_view extension : row.extensions) {
      if (lower.ends_with(extension)) return row.format;
    }
  }
  throw Error(ErrorCode::invalid_argument,
              printable(path) + ": the name does not tell the format; give --format tsv, csv or jsonl");
}

/// Which columns are read; indices into the header.
struct Columns {
  std::size_t text = 0;
  std::optional<std::size_t> pair, label;
};

/// Finds the columns that the options or the defaults name.
class ColumnChooser {
 public:
  ColumnChooser(const TableBytes& bytes, std::uint32_t line, const std::vector<std::string>& names)
      : bytes_(bytes), line_(line), names_(names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (find(names[i]) != i) bytes_.fail(line_, "two columns are named \"" + printable(names[i]) + "\"");
    }
  }

  Columns choose(const TableOptions& options) const {
    Columns out;
    if (!options.label_column.empty()) {
      out.label = named(options.label_column, "--label-column");
    } else {
      out.label = options.need_label ? named("label", "--label-column") : find("label");
    }
    if (!options.pair_column.empty()) {
      out.pair = named(options.pair_column, "--pair-column");
    } else if (options.text_column.empty()) {
      out.pair = first_of({"text2", "sentence2"});
    }
    out.text = options.text_column.empty() ? default_text(out) : named(options.text_column, "--text-column");
    if (out.text == out.pair || out.text == out.label || (out.pair && out.pair == out.label)) {
      bytes_.fail(line_, "text, pair and label must be different columns");
    }
    return out;
  }

 private:
  std::optional<std::size_t> find(std::string_view name) const {
    const auto it = std::find(names_.begin(), names_.end(), name);
    if (it == names_.end()) return std::nullopt;
    return static_cast<std::size_t>(it - names_.begin());
  }
  std::optional<std::size_t> first_of(std::initializer_list<std::string_view> candidates) const {
    for (const std::string_view name : candidates) {
      if (const auto index = find(name)) return index;
    }
    return std::nullopt;
  }
  std::size_t named(std::string_view name, std::string_view option) const {
    if (const auto index = find(name)) return *index;
    std::string columns;
    for (const std::string& known : names_) columns += (columns.empty() ? "" : ", ") + printable(known);
    bytes_.fail(line_, "no column \"" + printable(name) + "\" (columns: " + columns + "); name one with " + std::string(option));
  }
  std::size_t default_text(const Columns& taken) const {
    if (const auto index = first_of({"text", "sentence", "text1", "sentence1"})) return *index;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (i != taken.pair && i != taken.label) return i;
    }
    bytes_.fail(line_, "no column is left for the text; name one with --text-column");
  }

  const TableBytes& bytes_;
  std::uint32_t line_;
  const std::vector<std::string>& names_;
};

void set_columns(TextTable& table, const Columns& columns, const std::vector<std::string>& names) {
  table.text_column = names[columns.text];
  if (columns.pair) table.pair_column = names[*columns.pair];
  if (columns.label) table.label_column = names[*columns.label];
}

/// TSV and CSV: a header, then records of as many fields.
void read_fields(TextTable& table, const TableBytes& bytes, const TableOptions& options, bool csv) {
  std::vector<std::string> names;
  Columns columns;
  (csv ? each_csv_record : each_tsv_record)(bytes, [&](std::uint32_t line, std::vector<std::string>& fields) {
    if (names.empty()) {
      names = fields;
      columns = ColumnChooser(bytes, line, names).choose(options);
      set_columns(table, columns, names);
      return;
    }
    if (fields.size() != names.size()) {
      bytes.fail(line, std::to_string(fields.size()) + (fields.size() == 1 ? " column" : " columns") + ", but the header has " +
                           std::to_string(names.size()));
    }
    TextRow row;
    row.line = line;
    row.text = std::move(fields[columns.text]);
    if (columns.pair) row.pair = std::move(fields[*columns.pair]);
    if (columns.label) row.label = std::move(fields[*columns.label]);
    table.rows.push_back(std::move(row));
  });
}

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

std::string text_at(const TableBytes& bytes, std::uint32_t line, const ordered_json& object, const std::string& key) {
  const ordered_json& value = value_at(bytes, line, object, key);
  if (!value.is_string()) bytes.fail(line, "\"" + printable(key) + "\" is not a string");
  std::string out = value.get<std::string>();
  if (out.find('\0') != out.npos) bytes.fail(line, "\"" + printable(key) + "\" holds a NUL character");
  return out;
}

std::string label_at(const TableBytes& bytes, std::uint32_t line, const ordered_json& object, const std::string& key) {
  const ordered_json& value = value_at(bytes, line, object, key);
  if (value.is_string()) return text_at(bytes, line, object, key);
  if (!value.is_number() && !value.is_boolean()) {
    bytes.fail(line, "\"" + printable(key) + "\" is neither a string nor a number");
  }
  return value.dump();
}

void read_objects(TextTable& table, const TableBytes& bytes, const TableOptions& options) {
  each_jsonl_record(bytes, [&](std::uint32_t line, std::vector<std::string>& fields) {
    const ordered_json object = parse_object(bytes, line, fields[0]);
    if (table.rows.empty()) {
      std::vector<std::string> names;
      for (const auto& item : object.items()) names.push_back(item.key());
      set_columns(table, ColumnChooser(bytes, line, names).choose(options), names);
    }
    TextRow row;
    row.line = line;
    row.text = text_at(bytes, line, object, table.text_column);
    if (table.has_pair()) row.pair = text_at(bytes, line, object, table.pair_column);
    if (table.has_label()) row.label = label_at(bytes, line, object, table.label_column);
    table.rows.push_back(std::move(row));
  });
}

}  // namespace

TableFormat table_format(std::string_view name) {
  for (const FormatRow& row : kFormats) {
    if (row.name == name) return row.format;
  }
  throw Error(ErrorCode::invalid_argument, "unknown data format \"" + printable(name) + "\" (known: tsv, csv, jsonl)");
}

std::string_view table_format_name(TableFormat format) {
  for (const FormatRow& row : kFormats) {
    if (row.format == format) return row.name;
  }
  return {};
}

TextTable parse_text_table(std::string_view bytes, const std::string& path, const TableOptions& options) {
  TextTable table;
  table.path = path;
  table.format = format_of(path, options);
  const TableBytes checked(bytes, path, options.max_line_bytes);
  if (table.format == TableFormat::jsonl) {
    read_objects(table, checked, options);
  } else {
    read_fields(table, checked, options, table.format == TableFormat::csv);
  }
  if (table.rows.empty()) {
    throw Error(ErrorCode::invalid_argument,
                printable(path) + (table.text_column.empty() ? ": the file holds only empty lines" : ": a header, but no rows"));
  }
  table.sha256 = sha256(as_bytes(bytes));
  return table;
}

TextTable read_text_table(Filesystem& fs, const std::string& path, const TableOptions& options) {
  const Bytes bytes = read_file(fs, path);
  return parse_text_table(as_text(bytes), path, options);
}

}  // namespace dstore
