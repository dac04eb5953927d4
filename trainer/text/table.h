#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/filesystem.h"
#include "dstore/id.h"

namespace dstore {

/// How a data file is written. tsv: fields between tabs, no quoting at all. csv: RFC 4180. jsonl: one object a line.
enum class TableFormat { tsv, csv, jsonl };

/// "tsv", "csv", "jsonl" -> format; Error{invalid_argument} that lists them.
TableFormat table_format(std::string_view name);
std::string_view table_format_name(TableFormat format);

/// What the label column holds. list: any number of labels, a JSON list or names between commas. ignored: nothing that matters, it need
/// not be there.
enum class LabelForm { one, list, ignored };

/// Empty column names mean the defaults: text = `text`, `sentence`, `text1` or `sentence1`, else the first column that is
/// not the label (or the pair); pair = `text2` or `sentence2`, else none; label = `label`.
struct TableOptions {
  std::optional<TableFormat> format;  ///< else by the file's extension (.tsv .txt .csv .jsonl .ndjson)
  std::string text_column;
  std::string pair_column;
  std::string label_column;
  LabelForm labels = LabelForm::one;
  std::size_t max_line_bytes = std::size_t{16} << 20;
};

struct TextRow {
  std::string text;
  std::string pair;   ///< only if the table has a pair column
  std::string label;  ///< as written; JSON numbers and booleans as their JSON text
  std::vector<std::string> labels;  ///< instead of label, where they are a list
  std::uint32_t line = 0;  ///< where the row starts, from 1
};

struct TextTable {
  std::string path;
  TableFormat format = TableFormat::tsv;                ///< as chosen
  LabelForm labels = LabelForm::one;
  std::string text_column, pair_column, label_column;  ///< as chosen; pair and label empty if absent
  std::vector<TextRow> rows;                            ///< never empty
  ObjectId sha256;                                      ///< plain SHA-256 of the file's bytes

  bool has_pair() const { return !pair_column.empty(); }
  bool has_label() const { return !label_column.empty(); }
};

/// A table without rows, its format chosen.
TextTable empty_table(const std::string& path, const TableOptions& options);
/// Error{invalid_argument} where the whole of the file gave no rows.
void require_rows(const TextTable& table);
/// Everything that is wrong with a file is Error{invalid_argument} "PATH:LINE: what".
TextTable read_text_table(Filesystem& fs, const std::string& path, const TableOptions& options = {});
/// The same from memory; `path` only names it and gives the extension.
TextTable parse_text_table(std::string_view bytes, const std::string& path, const TableOptions& options = {});

}  // namespace dstore
