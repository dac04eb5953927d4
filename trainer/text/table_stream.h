#pragma once

#include <functional>
#include <string>

#include "trainer/text/table_reader.h"

namespace dstore {

/// A data file, or a pipe, read as it comes: rows are there as soon as their lines are whole. Memory does not grow with the file. Errors
/// as of read_text_table(), when the place is reached. One thread.
class TableStream {
 public:
  /// "-" is standard input. `stop` is asked every quarter of a second while nothing comes.
  TableStream(const std::string& path, TableOptions options, std::function<bool()> stop, std::size_t read_bytes = std::size_t{1} << 20);
  ~TableStream();
  TableStream(const TableStream&) = delete;
  TableStream& operator=(const TableStream&) = delete;

  /// The next rows, at least one; null at the end, or where `stop` said so. Valid until the next call.
  const TextTable* next();

 private:
  bool fill();
  bool wait_for_input() const;
  std::size_t whole_records();
  void take(std::size_t size);

  std::string path_;
  TableOptions options_;
  std::function<bool()> stop_;
  std::size_t read_bytes_;  ///< at a time, at most
  int file_;
  TextTable table_;
  TableReader reader_;
  std::string pending_;           ///< read, but not yet made rows
  std::size_t scanned_ = 0;       ///< of pending_
  std::size_t records_end_ = 0;   ///< of the scanned bytes: where the last whole record ends
  bool quoted_ = false;           ///< whether the scanned bytes end inside a quoted field (csv)
  bool ended_ = false, any_rows_ = false;
  std::uint32_t line_ = 1;
};

}  // namespace dstore
