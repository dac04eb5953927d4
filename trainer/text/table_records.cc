#include "trainer/text/table_records.h"

#include <algorithm>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

/// Calls line(number, text without its end) for each line; a file need not end with a line feed.
template <typename F>
void each_line(std::string_view text, std::uint32_t number, const F& line) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    line(number++, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string_view without_carriage_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// The lines of a file whose records are lines. Empty lines are allowed at the end alone.
template <typename F>
void each_full_line(const TableBytes& bytes, const F& sink) {
  std::uint32_t first_empty = 0;
  each_line(bytes.text(), bytes.first_line(), [&](std::uint32_t number, std::string_view line) {
    line = without_carriage_return(line);
    if (line.empty()) {
      if (first_empty == 0) first_empty = number;
      return;
    }
    if (first_empty != 0) bytes.fail(first_empty, "empty line");
    sink(number, line);
  });
}

/// RFC 4180 with LF or CRLF. One object reads one file.
class CsvReader {
 public:
  CsvReader(const TableBytes& bytes, const RecordSink& sink) : bytes_(bytes), text_(bytes.text()), sink_(sink), line_(bytes.first_line()) {}

  void run() {
    while (at_ < text_.size()) {
      start_ = line_;
      fields_.clear();
      do {
        fields_.emplace_back();
        if (peek() == '"') {
          read_quoted();
        } else {
          read_plain();
        }
      } while (take(','));
      end_record();
    }
  }

 private:
  int peek() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void read_plain() {
    const std::size_t end = std::min(text_.find_first_of(",\n\r\"", at_), text_.size());
    fields_.back() = text_.substr(at_, end - at_);
    at_ = end;
    if (peek() == '"') bytes_.fail(line_, "a quote inside an unquoted field (quote the field and double the quote)");
  }
  void read_quoted() {
    ++at_;
    for (;;) {
      const std::size_t end = std::min(text_.find('"', at_), text_.size());
      if (end == text_.size()) bytes_.fail(start_, "a quoted field that starts in this record never ends");
      const std::string_view part = text_.substr(at_, end - at_);
      fields_.back() += part;
      line_ += static_cast<std::uint32_t>(std::count(part.begin(), part.end(), '\n'));
      at_ = end + 1;
      if (peek() != '"') break;
      fields_.back() += '"';
      ++at_;
    }
    if (peek() != ',' && peek() != '\n' && peek() != '\r' && peek() != -1) {
      bytes_.fail(line_, "text after the closing quote of a field");
    }
  }
  void end_record() {
    if (take('\r') && peek() != '\n' && peek() != -1) bytes_.fail(line_, "a carriage return inside a line");
    take('\n');
    const bool empty = fields_.size() == 1 && fields_[0].empty();
    if (empty && first_empty_ == 0) first_empty_ = start_;
    if (!empty && first_empty_ != 0) bytes_.fail(first_empty_, "empty line");
    ++line_;
    if (!empty) sink_(start_, fields_);
  }

  const TableBytes& bytes_;
  std::string_view text_;
  const RecordSink& sink_;
  std::size_t at_ = 0;
  std::uint32_t line_, start_ = 0, first_empty_ = 0;
  std::vector<std::string> fields_;
};

}  // namespace

TableBytes::TableBytes(std::string_view bytes, std::string path, std::size_t max_line_bytes, std::uint32_t first_line)
    : text_(bytes), path_(std::move(path)), first_line_(first_line) {
  if (first_line == 1) check_start();
  check_lines(max_line_bytes);
}

void TableBytes::check_start() {
  if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  if (text_.empty()) throw Error(ErrorCode::invalid_argument, printable(path_) + ": the file is empty");
  if (text_.starts_with("\xFF\xFE") || text_.starts_with("\xFE\xFF")) {
    fail(1, "the file is UTF-16, not UTF-8 (convert it: iconv -f UTF-16 -t UTF-8)");
  }
}

void TableBytes::check_lines(std::size_t max_line_bytes) const {
  each_line(text_, first_line_, [&](std::uint32_t number, std::string_view line) {
    if (line.size() > max_line_bytes) {
      fail(number, "the line is longer than the " + std::to_string(max_line_bytes) + " bytes that are allowed");
    }
    if (line.find('\0') != line.npos) fail(number, "a NUL byte (is this a text file?)");
    if (!is_utf8(line)) fail(number, "not UTF-8 (convert it, for example: iconv -f ISO-8859-1 -t UTF-8)");
  });
}

void TableBytes::fail(std::uint32_t line, const std::string& what) const {
  throw Error(ErrorCode::invalid_argument, printable(path_) + ":" + std::to_string(line) + ": " + what);
}

void each_tsv_record(const TableBytes& bytes, const RecordSink& sink) {
  std::vector<std::string> fields;
  each_full_line(bytes, [&](std::uint32_t number, std::string_view line) {
    if (line.find('\r') != line.npos) bytes.fail(number, "a carriage return inside a line");
    fields.clear();
    for (;;) {
      const std::size_t end = std::min(line.find('\t'), line.size());
      fields.emplace_back(line.substr(0, end));
      if (end == line.size()) break;
      line.remove_prefix(end + 1);
    }
    sink(number, fields);
  });
}

void each_csv_record(const TableBytes& bytes, const RecordSink& sink) { CsvReader(bytes, sink).run(); }

void each_jsonl_record(const TableBytes& bytes, const RecordSink& sink) {
  std::vector<std::string> fields(1);
  each_full_line(bytes, [&](std::uint32_t number, std::string_view line) {
    fields[0] = line;
    sink(number, fields);
  });
}

}  // namespace dstore
