#include "trainer/text/table_stream.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "fixture.h"

using namespace dstore;

namespace {

constexpr auto kNever = [] { return false; };

/// A file that is there for one test.
class Scratch {
 public:
  Scratch(const std::string& name, const std::string& bytes) : path_(std::filesystem::temp_directory_path() / ("dstore-" + std::to_string(::getpid()) + name)) {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~Scratch() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

struct Outcome {
  std::vector<std::string> rows;
  std::string error;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

void add_rows(const TextTable& table, std::vector<std::string>& rows) {
  for (const TextRow& row : table.rows) rows.push_back(std::to_string(row.line) + "|" + row.text + "|" + row.pair + "|" + row.label);
}

Outcome whole(const std::string& path, const TableOptions& options) {
  Outcome out;
  try {
    add_rows(read_text_table(posix_filesystem(), path, options), out.rows);
  } catch (const Error& error) {
    out.error = error.what();
  }
  return out;
}

/// In pieces of at most so many bytes; rows that stand before a place that is wrong were given already.
Outcome streamed(const std::string& path, const TableOptions& options, std::size_t bytes) {
  Outcome out;
  try {
    TableStream stream(path, options, kNever, bytes);
    while (const TextTable* table = stream.next()) {
      CHECK_FALSE(table->rows.empty());
      add_rows(*table, out.rows);
    }
  } catch (const Error& error) {
    out.error = error.what();
    out.rows.clear();
  }
  return out;
}

}  // namespace

TEST_CASE("a file read in pieces gives the rows, lines and errors of the whole file") {
  const std::pair<const char*, std::string> files[] = {
      {".tsv", "text\tlabel\nx \xC3\xA9\t1\r\ny\t2\n\n\n"},
      {".tsv", "\xEF\xBB\xBFtext\ttext2\tlabel\nx\ty\t1\n\tz\t2"},
      {".tsv", "text\tlabel\nx\t1\n\n\ny\t2\n"},
      {".tsv", "text\tlabel\nx\t1\ny\n"},
      {".tsv", "text\tlabel\n"},
      {".tsv", "\n\r\n"},
      {".tsv", ""},
      {".tsv", "text\tlabel\nx\t1\ny\xE9\t2\n"},
      {".tsv", "text\tlabel\nx\t1\n" + std::string(50, 'y') + "\t2\nz\t1\n"},
      {".csv", "text,label\n\"a \"\"b\"\", c\",1\r\n\"two\nlines\",\"x,y\"\n,3\n\"\",4"},
      {".csv", "text,label\n\"never\n\nends,1\n"},
      {".csv", "text,label\nx,1\n\"y\n\n\",2\n\n"},
      {".jsonl", "{\"text\": \"x\\n\", \"label\": 1}\n{\"label\": \"2\", \"text\": \"y\"}"},
      {".jsonl", "{\"text\": \"x\", \"label\": 1}\n\n{\"text\": \"y\", \"label\": 2}\n"},
      {".jsonl", "{\"text\": \"x\", \"label\": 1}\n{\"text\": 3, \"label\": 2}\n"},
  };
  for (const LabelForm labels : {LabelForm::one, LabelForm::ignored}) {
    TableOptions options;
    options.labels = labels;
    options.max_line_bytes = 40;
    for (const auto& [name, bytes] : files) {
      const Scratch file(name, bytes);
      const Outcome expected = whole(file.path(), options);
      for (std::size_t piece = 1; piece <= bytes.size() + 1; ++piece) {
        CAPTURE(name, bytes, piece);
        CHECK(streamed(file.path(), options, piece) == expected);
      }
    }
  }
}

TEST_CASE("rows come out of a pipe before it ends, and waiting can be stopped") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const auto send = [&](const std::string& text) { REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size())); };
  TableOptions options;
  options.format = TableFormat::tsv;
  options.labels = LabelForm::ignored;
  bool stop = false;
  TableStream stream("/dev/fd/" + std::to_string(ends[0]), options, [&] { return stop; });
  send("text\na\nb\nhalf");
  const TextTable* rows = stream.next();
  REQUIRE(rows != nullptr);
  CHECK(rows->rows.size() == 2);
  send(" a line\n");
  rows = stream.next();
  REQUIRE(rows != nullptr);
  CHECK(rows->rows[0].text == "half a line");
  CHECK(rows->rows[0].line == 4);
  stop = true;
  CHECK(stream.next() == nullptr);
  stop = false;
  ::close(ends[1]);
  CHECK(stream.next() == nullptr);
  ::close(ends[0]);
}

TEST_CASE("a stream that cannot be read says why") {
  test::error_of(ErrorCode::not_found, [] { TableStream("/nowhere/a.tsv", {}, kNever); });
  CHECK(test::error_of(ErrorCode::invalid_argument, [] { TableStream("-", {}, kNever); }) ==
        "standard input: the name does not tell the format; give --format tsv, csv or jsonl");
}
