#include "trainer/text/dataset.h"

#include "fixture.h"

using namespace dstore;

namespace {

TextTable table_of(const std::string& rows, const std::string& name = "t.tsv") {
  return parse_text_table("text\tlabel\n" + rows, name);
}

WordPieceTokenizer small_tokenizer() {
  return WordPieceTokenizer::load({"m", std::nullopt, "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\nc\n", std::nullopt});
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("labels of training data get ids in a fixed order") {
  CHECK(LabelMap::from_table(table_of("x\tb\ny\ta\nz\tb\n")).names() == Names{"a", "b"});
  CHECK(LabelMap::from_table(table_of("x\t10\ny\t9\nz\t-1\n")).names() == Names{"-1", "9", "10"});
  CHECK(LabelMap::from_table(table_of("x\t10\ny\t9\nz\tn\n")).names() == Names{"10", "9", "n"});
  const LabelMap map = LabelMap::from_table(table_of("x\t10\ny\t9\nz\t-1\n"));
  CHECK(map.find("10") == 2);
  CHECK(map.find("-1") == 0);
  CHECK_FALSE(map.find("1"));
}

TEST_CASE("training data with one class, or an empty label, are refused") {
  CHECK(test::error_of(ErrorCode::invalid_argument, [] { LabelMap::from_table(table_of("x\ta\ny\ta\n")); }) ==
        "t.tsv: every row has the label \"a\": nothing to learn (column \"label\")");
  CHECK(test::error_of(ErrorCode::invalid_argument, [] { LabelMap::from_table(table_of("x\ta\ny\t\n")); }) ==
        "t.tsv:3: empty label");
  test::error_of(ErrorCode::invalid_argument, [] { LabelMap({"a", "b", "a"}); });
}

TEST_CASE("a model's labels come from id2label in the order of ids") {
  const auto names = [](const char* config) { return LabelMap::from_config(config, "config.json")->names(); };
  CHECK(names(R"({"id2label": {"1": "no", "0": "yes"}})") == Names{"yes", "no"});
  CHECK(names(R"({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}})") == Names{"0", "1"});
  CHECK_FALSE(LabelMap::from_config("{}", "config.json"));
  CHECK_FALSE(LabelMap::from_config(R"({"id2label": {"0": "LABEL_0"}})", "config.json"));
  CHECK(test::error_of(ErrorCode::corrupt, [&] { names(R"({"id2label": {"0": "a", "2": "b"}})"); }) ==
        "config.json: id2label has no \"1\"");
  test::error_of(ErrorCode::corrupt, [&] { names(R"({"id2label": ["a"]})"); });
  test::error_of(ErrorCode::corrupt, [&] { names("nonsense"); });
}

TEST_CASE("rows become ids, type ids and labels, in file order, cut to the maximum length") {
  std::string rows;
  for (int i = 0; i < 2000; ++i) rows += i % 2 ? "a b c\tyes\n" : "b\tno\n";
  const TextTable table = table_of(rows);
  EncodeOptions options;
  options.max_length = 4;
  const Dataset data = encode_table(table, small_tokenizer(), LabelMap::from_table(table), options);
  REQUIRE(data.examples.size() == 2000);
  CHECK(data.truncated == 1000);
  CHECK(data.labelled);
  CHECK(data.sha256 == table.sha256);
  for (std::size_t i = 0; i < 2000; ++i) {
    const auto expected = i % 2 ? std::vector<std::int32_t>{2, 4, 5, 3} : std::vector<std::int32_t>{2, 5, 3};
    REQUIRE(data.examples[i].encoding.ids == expected);
    REQUIRE(data.examples[i].label == static_cast<std::int32_t>(i % 2));
  }
  CHECK(data.lengths()[1] == 4);
}

TEST_CASE("pairs have type 1 from the second text on") {
  const TextTable table = parse_text_table("text\ttext2\tlabel\na\tb c\t1\nb\tc\t0\n", "t.tsv");
  const Dataset data = encode_table(table, small_tokenizer(), LabelMap::from_table(table), {});
  CHECK(data.examples[0].encoding == Encoding{{2, 4, 3, 5, 6, 3}, {0, 0, 0, 1, 1, 1}});
}

TEST_CASE("an unknown label names its place and the known ones") {
  const TextTable dev = table_of("x\ta\ny\tq\n", "dev.tsv");
  CHECK(test::error_of(ErrorCode::invalid_argument,
                       [&] { encode_table(dev, small_tokenizer(), LabelMap({"a", "b"}), {}); }) ==
        "dev.tsv:3: unknown label \"q\" (known: a, b)");
}

TEST_CASE("regression labels are finite decimal numbers and nothing else") {
  EncodeOptions options;
  options.task = TaskKind::regression;
  const Dataset data = encode_table(table_of("x\t1.5\ny\t-2e-3\nz\t7\n"), small_tokenizer(), {}, options);
  CHECK(data.examples[0].value == 1.5);
  CHECK(data.examples[1].value == -2e-3);
  CHECK(data.examples[2].value == 7.0);
  for (const std::string bad : {"", "x", "1,5", "1.5 ", " 1", "nan", "inf", "-inf", "1e999", "0x10", "+1", "1.5x"}) {
    CHECK(test::error_of(ErrorCode::invalid_argument,
                         [&] { encode_table(table_of("x\t1\ny\t" + bad + "\n"), small_tokenizer(), {}, options); }) ==
          "t.tsv:3: label \"" + bad + "\" is not a finite number (regression)");
  }
}

TEST_CASE("data without labels can be encoded for prediction") {
  TableOptions options;
  options.labels = LabelForm::ignored;
  const Dataset data = encode_table(parse_text_table("text\na\n", "t.tsv", options), small_tokenizer(), {}, {});
  CHECK_FALSE(data.labelled);
  CHECK(data.examples[0].label == -1);
}
