#include "trainer/text/table.h"

#include "base/bytes.h"
#include "base/sha256.h"
#include "fixture.h"

using namespace dstore;

namespace {

struct BadFile {
  std::string name, bytes, message;
};

std::string refusal(const BadFile& file) {
  TableOptions options;
  options.max_line_bytes = 100;
  return test::error_of(ErrorCode::invalid_argument, [&] { parse_text_table(file.bytes, file.name, options); });
}

std::vector<std::string> flat(const TextTable& table) {
  std::vector<std::string> out;
  for (const TextRow& row : table.rows) {
    out.push_back(std::to_string(row.line) + "|" + row.text + "|" + row.pair + "|" + row.label);
  }
  return out;
}

using Rows = std::vector<std::string>;

}  // namespace

TEST_CASE("a damaged data file is refused with its line") {
  using namespace std::string_literals;
  const BadFile files[] = {
      {"a.tsv", "", "a.tsv: the file is empty"},
      {"a.tsv", "\xEF\xBB\xBF", "a.tsv: the file is empty"},
      {"a.tsv", "\n\n", "a.tsv: the file holds only empty lines"},
      {"a.tsv", "text\tlabel\n", "a.tsv: a header, but no rows"},
      {"a.csv", "text,label\r\n\r\n", "a.csv: a header, but no rows"},
      {"a.jsonl", "\n", "a.jsonl: the file holds only empty lines"},
      {"a.tsv", "\xFF\xFEt\0e\0"s, "a.tsv:1: the file is UTF-16, not UTF-8 (convert it: iconv -f UTF-16 -t UTF-8)"},
      {"a.tsv", "text\tlabel\nx\t1\ny\xE9\t1\n", "a.tsv:3: not UTF-8 (convert it, for example: iconv -f ISO-8859-1 -t UTF-8)"},
      {"a.tsv", "text\tlabel\nx\0y\t1\n"s, "a.tsv:2: a NUL byte (is this a text file?)"},
      {"a.tsv", "text\tlabel\n" + std::string(101, 'x') + "\t1\n",
       "a.tsv:2: the line is longer than the 100 bytes that are allowed"},
      {"a.tsv", "text\tlabel\nx\t1\ny\n", "a.tsv:3: 1 column, but the header has 2"},
      {"a.tsv", "text\tlabel\nx\t1\t2\n", "a.tsv:2: 3 columns, but the header has 2"},
      {"a.tsv", "text\tlabel\nx\t1\n\ny\t2\n", "a.tsv:3: empty line"},
      {"a.tsv", "text\tlabel\nx\ry\t1\n", "a.tsv:2: a carriage return inside a line"},
      {"a.tsv", "text\tlabel\ttext\nx\t1\t2\n", "a.tsv:1: two columns are named \"text\""},
      {"a.tsv", "text\tclass\nx\t1\n", "a.tsv:1: no column \"label\" (columns: text, class); name one with --label-column"},
      {"a.tsv", "label\nx\n", "a.tsv:1: no column is left for the text; name one with --text-column"},
      {"a.csv", "text,label\nx,1\n\"y,2\nz,3\n", "a.csv:3: a quoted field that starts in this record never ends"},
      {"a.csv", "text,label\nx\"y,1\n",
       "a.csv:2: a quote inside an unquoted field (quote the field and double the quote)"},
      {"a.csv", "text,label\n\"x\"y,1\n", "a.csv:2: text after the closing quote of a field"},
      {"a.csv", "text,label\n\"x\ny\",1\nz\n", "a.csv:4: 1 column, but the header has 2"},
      {"a.csv", "text,label\nx\ry,1\n", "a.csv:2: a carriage return inside a line"},
      {"a.csv", "text,label\n\nx,1\n", "a.csv:2: empty line"},
      {"a.jsonl", "{\"text\": \"x\", \"label\": 1}\n{\"text\": \"y\"\n", "a.jsonl:2: not a JSON object"},
      {"a.jsonl", "[\"x\", 1]\n", "a.jsonl:1: not a JSON object"},
      {"a.jsonl", "{\"text\": \"x\", \"label\": 1}\n{\"text\": \"y\"}\n", "a.jsonl:2: no key \"label\" (keys: text)"},
      {"a.jsonl", "{\"text\": \"x\", \"class\": 1}\n",
       "a.jsonl:1: no column \"label\" (columns: text, class); name one with --label-column"},
      {"a.jsonl", "{\"text\": 3, \"label\": 1}\n", "a.jsonl:1: \"text\" is not a string"},
      {"a.jsonl", "{\"text\": \"x\", \"label\": null}\n", "a.jsonl:1: \"label\" is neither a string nor a number"},
      {"a.jsonl", "{\"text\": \"x\\u0000\", \"label\": 1}\n", "a.jsonl:1: \"text\" holds a NUL character"},
      {"a.jsonl", "{\"text\": \"x\", \"label\": 1, \"text\": \"y\"}\n", "a.jsonl:1: the key \"text\" stands there twice"},
      {"a.jsonl", "{\"text\": \"\\ud800\", \"label\": 1}\n", "a.jsonl:1: not a JSON object"},
      {"a.dat", "text\tlabel\nx\t1\n", "a.dat: the name does not tell the format; give --format tsv, csv or jsonl"},
  };
  for (const BadFile& file : files) CHECK(refusal(file) == file.message);
}

TEST_CASE("TSV is read as it stands, quotes and all") {
  const std::string bytes = "label\ttext\n1\tsay \"hi\", ok\n2\t\n";
  const TextTable table = parse_text_table(bytes, "a.TSV");
  CHECK(flat(table) == Rows{"2|say \"hi\", ok||1", "3|||2"});
  CHECK(table.text_column == "text");
  CHECK(table.label_column == "label");
  CHECK_FALSE(table.has_pair());
  CHECK(table.sha256 == sha256(as_bytes(bytes)));
}

TEST_CASE("a byte order mark, CRLF, a missing last line feed and empty lines at the end are accepted") {
  const Rows expected{"2|x||1", "3|y||2"};
  CHECK(flat(parse_text_table("\xEF\xBB\xBFtext\tlabel\r\nx\t1\r\ny\t2", "a.tsv")) == expected);
  CHECK(flat(parse_text_table("text\tlabel\nx\t1\ny\t2\n\n\n", "a.txt")) == expected);
  CHECK(flat(parse_text_table("\xEF\xBB\xBFtext,label\r\nx,1\r\ny,2\r\n\r\n", "a.csv")) == expected);
}

TEST_CASE("CSV follows RFC 4180") {
  const char* text = "text,label\n\"a \"\"b\"\", c\",1\n\"two\nlines\",\"x,y\"\n,3\n\"\",4";
  CHECK(flat(parse_text_table(text, "a.csv")) == Rows{"2|a \"b\", c||1", "3|two\nlines||x,y", "5|||3", "6|||4"});
}

TEST_CASE("JSONL takes strings, numbers and booleans as labels") {
  const char* text = "{\"label\": 1, \"text\": \"\\u00e9\\n\", \"id\": {\"x\": [1]}}\n{\"text\": \"b\", \"label\": \"n\"}\n"
                     "{\"text\": \"c\", \"label\": true}\n{\"text\": \"d\", \"label\": -2.5}";
  CHECK(flat(parse_text_table(text, "a.jsonl")) == Rows{"1|\xC3\xA9\n||1", "2|b||n", "3|c||true", "4|d||-2.5"});
}

TEST_CASE("columns are found by default names or by option") {
  const char* text = "id\tsentence1\tsentence2\tlabel\n7\ta\tb\tyes\n";
  CHECK(flat(parse_text_table(text, "a.tsv")) == Rows{"2|a|b|yes"});
  TableOptions options;
  options.text_column = "sentence2";
  CHECK(flat(parse_text_table(text, "a.tsv", options)) == Rows{"2|b||yes"});
  options.pair_column = "sentence1";
  options.label_column = "id";
  CHECK(flat(parse_text_table(text, "a.tsv", options)) == Rows{"2|b|a|7"});
  options.label_column = "sentence1";
  CHECK(test::error_of(ErrorCode::invalid_argument, [&] { parse_text_table(text, "a.tsv", options); }) ==
        "a.tsv:1: text, pair and label must be different columns");
  options.label_column = "gold";
  CHECK(test::error_of(ErrorCode::invalid_argument, [&] { parse_text_table(text, "a.tsv", options); }) ==
        "a.tsv:1: no column \"gold\" (columns: id, sentence1, sentence2, label); name one with --label-column");
  TableOptions unlabelled;
  unlabelled.labels = LabelForm::ignored;
  CHECK(flat(parse_text_table("gloss\tx\na\tb\n", "a.tsv", unlabelled)) == Rows{"2|a||"});
  unlabelled.format = table_format("csv");
  CHECK(flat(parse_text_table("label,gloss\na,b\n", "a.tsv", unlabelled)) == Rows{"2|b||"});
  CHECK(test::error_of(ErrorCode::invalid_argument, [] { table_format("xml"); }) ==
        "unknown data format \"xml\" (known: tsv, csv, jsonl)");
}

TEST_CASE("a data file cut or flipped anywhere is read or refused") {
  const std::pair<const char*, std::string> files[] = {
      {"a.tsv", "text\tlabel\nx \xC3\xA9\t1\ny\t2\n"},
      {"a.csv", "text,label\n\"x, \"\"\xC3\xA9\",1\r\ny,2\n"},
      {"a.jsonl", "{\"text\": \"x \xC3\xA9\", \"label\": 1}\n{\"text\": \"y\", \"label\": \"2\"}\n"},
  };
  const auto survives = [](const char* name, const std::string& bytes) {
    try {
      const TextTable table = parse_text_table(bytes, name);
      CHECK_FALSE(table.rows.empty());
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::invalid_argument);
      CHECK(std::string(error.what()).starts_with(name));
    }
  };
  for (const auto& [name, bytes] : files) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      survives(name, bytes.substr(0, i));
      for (int value = 0; value < 256; ++value) {
        std::string changed = bytes;
        changed[i] = static_cast<char>(value);
        survives(name, changed);
      }
    }
  }
}

TEST_CASE("a missing data file is named") {
  CHECK(test::error_of(ErrorCode::not_found, [] { read_text_table(posix_filesystem(), "/no/such/file.tsv"); })
            .find("/no/such/file.tsv") != std::string::npos);
}
