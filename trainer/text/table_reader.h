#pragma once

#include "trainer/text/table_columns.h"

namespace dstore {

/// Makes rows of the records of one file, which may come in pieces. Both arguments must outlive it.
class TableReader {
 public:
  TableReader(TextTable& table, const TableOptions& options) : table_(table), options_(options) {}
  /// Appends the rows of `bytes`: whole records, the first piece with the header (jsonl: none).
  void read(const TableBytes& bytes);

 private:
  void begin(const TableBytes& bytes, std::uint32_t line, std::vector<std::string> names);
  void add_fields(const TableBytes& bytes, std::uint32_t line, std::vector<std::string>& fields);
  void add_object(const TableBytes& bytes, std::uint32_t line, const std::string& text);

  TextTable& table_;
  const TableOptions& options_;
  std::vector<std::string> names_;  ///< empty before the first record
  TableColumns columns_;
};

}  // namespace dstore
