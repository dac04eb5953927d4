#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace dstore {

/// The bytes of a data file, or of a piece of one that begins at line `first_line`, that passed the checks every format shares: not empty, no
/// UTF-16, no byte order mark left, UTF-8, no NUL, no overlong line. Keeps views; the bytes must outlive it.
class TableBytes {
 public:
  TableBytes(std::string_view bytes, std::string path, std::size_t max_line_bytes, std::uint32_t first_line = 1);

  std::string_view text() const { return text_; }
  std::uint32_t first_line() const { return first_line_; }
  /// Throws Error{invalid_argument} "PATH:LINE: WHAT".
  [[noreturn]] void fail(std::uint32_t line, const std::string& what) const;

 private:
  void check_start();
  void check_lines(std::size_t max_line_bytes) const;

  std::string_view text_;
  std::string path_;
  std::uint32_t first_line_;
};

/// One record's fields (jsonl: the whole line as the only field) and the line it starts on.
using RecordSink = std::function<void(std::uint32_t line, std::vector<std::string>& fields)>;

void each_tsv_record(const TableBytes& bytes, const RecordSink& sink);
void each_csv_record(const TableBytes& bytes, const RecordSink& sink);
void each_jsonl_record(const TableBytes& bytes, const RecordSink& sink);

}  // namespace dstore
