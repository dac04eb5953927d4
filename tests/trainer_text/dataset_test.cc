#include "trainer/text/dataset.h"

#include "fixture.h"
#include "trainer/text/batches.h"

using namespace dstore;

namespace {

TextTable table_of(const std::string& rows, const std::string& name = "t.tsv") {
  return parse_text_table("text\tlabel\n" + rows, name);
}

WordPieceTokenizer small_tokenizer() {
  return WordPieceTokenizer::load({"m", std::nullopt, "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\nc\n", std::nullopt});
}

using Names = std::vector<std::string>;

TextTable lists(const std::string& bytes, const std::string& name) {
  TableOptions options;
  options.labels = LabelForm::list;
  return parse_text_table(bytes, name, options);
}

const EncodeOptions kMultiLabel{TaskKind::multi_label, 128, Truncation::longest_first};

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
  const LabelMap labels = LabelMap::from_table(table_of("x\ta\ny\tb\n", "train.tsv"));
  CHECK(test::error_of(ErrorCode::invalid_argument, [&] { encode_table(dev, small_tokenizer(), labels, {}); }) ==
        "dev.tsv:3: unknown label \"q\" (those of train.tsv: a, b)");
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

TEST_CASE("multi-label rows have any number of labels, none too") {
  const auto text = [](const char* rows) { return lists(std::string("text\tlabel\n") + rows, "t.tsv"); };
  const TextTable table = text("x\tb, a\ny\t\nz\tc\nw\t b \n");
  const LabelMap labels = LabelMap::from_table(table);
  CHECK(labels.names() == Names{"a", "b", "c"});
  const Dataset data = encode_table(table, small_tokenizer(), labels, kMultiLabel);
  CHECK(data.classes == 3);
  std::vector<std::vector<std::int32_t>> ids;
  for (const Example& example : data.examples) ids.push_back(example.labels);
  CHECK(ids == std::vector<std::vector<std::int32_t>>{{0, 1}, {}, {2}, {1}});
  const Batch batch = make_batch(data, std::vector<std::uint32_t>{0, 1, 3}, 0);
  CHECK(batch.values == std::vector<double>{1, 1, 0, 0, 0, 0, 0, 1, 0});
  CHECK(batch.labels.empty());

  const TextTable json = lists(R"({"text": "x", "label": ["b, c", 7, true]})" "\n" R"({"text": "y", "label": []})" "\n", "t.jsonl");
  CHECK(json.rows[0].labels == Names{"b, c", "7", "true"});
  CHECK(json.rows[1].labels.empty());
}

TEST_CASE("multi-label rows that make no sense are refused with their line") {
  const auto refused = [](const std::string& bytes, const char* name) {
    return test::error_of(ErrorCode::invalid_argument, [&] {
      const TextTable table = lists(bytes, name);
      (void)encode_table(table, small_tokenizer(), LabelMap::from_table(table), kMultiLabel);
    });
  };
  CHECK(refused("text\tlabel\nx\ta,b\ny\tb,a,b\n", "t.tsv") == "t.tsv:3: label \"b\" stands there twice");
  CHECK(refused("text\tlabel\nx\ta,,b\n", "t.tsv") == "t.tsv:2: an empty name between the commas of the labels");
  CHECK(refused("text\tlabel\nx\ta,\n", "t.tsv") == "t.tsv:2: an empty name between the commas of the labels");
  CHECK(refused("text\tlabel\nx\ta,b\ny\tb,a\n", "t.tsv") == "t.tsv: every row has the labels \"a, b\": nothing to learn (column \"label\")");
  CHECK(refused("text\tlabel\nx\t\ny\t\n", "t.tsv") == "t.tsv: every row has no label: nothing to learn (column \"label\")");
  CHECK(refused("text\tlabel\nx\ta\ny\t\n", "t.tsv") == "t.tsv: classification needs at least two labels");
  CHECK(refused(R"({"text": "x", "label": "a"})", "t.jsonl") == "t.jsonl:1: \"label\" is not a list of labels");
  CHECK(refused(R"({"text": "x", "label": [["a"]]})", "t.jsonl").starts_with("t.jsonl:1: \"label\" is neither a string nor a number"));
  CHECK(refused(R"({"text": "x", "label": ["", "a"]})", "t.jsonl") == "t.jsonl:1: empty label");
  CHECK(test::error_of(ErrorCode::invalid_argument, [] { parse_text_table(R"({"text": "x", "label": ["a"]})", "t.jsonl"); }) ==
        "t.jsonl:1: \"label\" is neither a string nor a number (lists are for --task multi-label)");
}

TEST_CASE("empty texts are counted, and a file of nothing else is refused") {
  const TextTable some = table_of("\ta\nx\tb\n \tb\n");
  const Dataset data = encode_table(some, small_tokenizer(), LabelMap::from_table(some), {});
  CHECK(data.empty_texts == 2);
  require_texts(data);
  const TextTable none = table_of("\ta\n  \tb\n");
  CHECK(test::error_of(ErrorCode::invalid_argument, [&] { require_texts(encode_table(none, small_tokenizer(), LabelMap::from_table(none), {})); }) ==
        "t.tsv: every text is empty; name the column with the texts with --text-column");
}

TEST_CASE("every task has a name that is read back") {
  for (const TaskInfo& task : task_infos()) {
    CHECK(parse_task(task.name) == task.kind);
    CHECK(task_info(task.kind).name == task.name);
  }
  CHECK(test::error_of(ErrorCode::invalid_argument, [] { parse_task("multilabel"); }) ==
        "--task multilabel: one of classification, multi-label, regression");
}
