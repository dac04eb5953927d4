#include "trainer/text/table.h"

#include <array>

#include "base/bytes.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "trainer/text/table_reader.h"

namespace dstore {
namespace {

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

TextTable empty_table(const std::string& path, const TableOptions& options) {
  TextTable table;
  table.path = path;
  table.format = format_of(path, options);
  table.labels = options.labels;
  return table;
}

void require_rows(const TextTable& table) {
  if (!table.rows.empty()) return;
  throw Error(ErrorCode::invalid_argument,
              printable(table.path) + (table.text_column.empty() ? ": the file holds only empty lines" : ": a header, but no rows"));
}

TextTable parse_text_table(std::string_view bytes, const std::string& path, const TableOptions& options) {
  TextTable table = empty_table(path, options);
  TableReader(table, options).read(TableBytes(bytes, path, options.max_line_bytes));
  require_rows(table);
  table.sha256 = sha256(as_bytes(bytes));
  return table;
}

TextTable read_text_table(Filesystem& fs, const std::string& path, const TableOptions& options) {
  const Bytes bytes = read_file(fs, path);
  return parse_text_table(as_text(bytes), path, options);
}

}  // namespace dstore
