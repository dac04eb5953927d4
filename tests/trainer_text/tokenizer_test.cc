#include "trainer/text/wordpiece.h"

#include <sstream>

#include <nlohmann/json.hpp>

#include "fixture.h"

using namespace dstore;
using nlohmann::json;

namespace {

const WordPieceTokenizer& golden() {
  static const WordPieceTokenizer tokenizer =
      WordPieceTokenizer::load({"golden", test::fixture("golden/tokenizer.json"), std::nullopt, std::nullopt});
  return tokenizer;
}

/// A small valid tokenizer.json, to be broken.
json small() {
  return {{"version", "1.0"},
          {"added_tokens", json::array()},
          {"normalizer", {{"type", "BertNormalizer"}, {"lowercase", true}, {"strip_accents", nullptr}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor", {{"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}}},
          {"model", {{"type", "WordPiece"}, {"unk_token", "[UNK]"},
                     {"vocab", {{"[PAD]", 0}, {"[UNK]", 1}, {"[CLS]", 2}, {"[SEP]", 3}, {"a", 4}, {"##b", 5}, {"b", 6}}}}}};
}

WordPieceTokenizer load(const json& value) {
  return WordPieceTokenizer::load({"m", value.dump(), std::nullopt, std::nullopt});
}

std::string load_error(ErrorCode code, const json& value) {
  return test::error_of(code, [&] { load(value); });
}

}  // namespace

TEST_CASE("text and pairs are tokenised as the tokenizers package does") {
  std::istringstream lines(test::fixture("golden/expected.jsonl"));
  std::string line;
  REQUIRE(std::getline(lines, line));
  int cases = 0;
  while (std::getline(lines, line)) {
    const json expected = json::parse(line);
    const json& input = expected["input"];
    const auto limit = expected["max_length"].get<std::size_t>();
    const Encoding got = input.is_array()
                             ? golden().encode_pair(input[0].get<std::string>(), input[1].get<std::string>(), limit)
                             : golden().encode(input.get<std::string>(), limit);
    CAPTURE(input.dump());
    CHECK(got.ids == expected["ids"].get<std::vector<std::int32_t>>());
    CHECK(got.type_ids == expected["type_ids"].get<std::vector<std::int32_t>>());
    ++cases;
  }
  CHECK(cases > 100);
}

TEST_CASE("vocab.txt with tokenizer_config.json makes the same tokenizer as tokenizer.json") {
  const TokenizerFiles lower{"m", std::nullopt, "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\r\n##b\nb\n\xC3\xA9", std::nullopt};
  const WordPieceTokenizer tokenizer = WordPieceTokenizer::load(lower);
  CHECK(tokenizer.encode("AB b [SEP] x").ids == std::vector<std::int32_t>{2, 4, 5, 6, 3, 1, 3});
  CHECK(tokenizer.vocabulary_size() == 8);
  CHECK(tokenizer.pad_id() == 0);
  CHECK_FALSE(tokenizer.model_max_length());
  TokenizerFiles cased = lower;
  cased.tokenizer_config_json = R"({"do_lower_case": false, "model_max_length": 512, "pad_token": {"content": "b"}})";
  const WordPieceTokenizer other = WordPieceTokenizer::load(cased);
  CHECK(other.encode("A \xC3\xA9").ids == std::vector<std::int32_t>{2, 1, 7, 3});
  CHECK(other.model_max_length() == 512u);
  CHECK(other.pad_id() == 6);
}

TEST_CASE("tokenizers that are not BERT's are refused by name") {
  json value = small();
  value["model"]["type"] = "BPE";
  CHECK(load_error(ErrorCode::unsupported, value) ==
        "m/tokenizer.json: model is BPE: only WordPiece (BERT's tokenizer) is supported");
  value = small();
  value["normalizer"]["type"] = "NFKC";
  CHECK(load_error(ErrorCode::unsupported, value).find("normalizer is NFKC") != std::string::npos);
  value = small();
  value["pre_tokenizer"]["type"] = "ByteLevel";
  CHECK(load_error(ErrorCode::unsupported, value).find("pre_tokenizer is ByteLevel") != std::string::npos);
  value = small();
  value["post_processor"]["type"] = "RobertaProcessing";
  CHECK(load_error(ErrorCode::unsupported, value).find("post_processor is RobertaProcessing") != std::string::npos);
}

TEST_CASE("malformed tokenizer files are refused") {
  json value = small();
  value["model"]["vocab"]["a"] = -1;
  CHECK(load_error(ErrorCode::corrupt, value).find("\"a\" is not an integer") != std::string::npos);
  value = small();
  value["model"]["vocab"].erase("[UNK]");
  CHECK(load_error(ErrorCode::corrupt, value).find("unknown token [UNK]") != std::string::npos);
  value = small();
  value["added_tokens"] = {{{"id", 9}, {"content", "a"}}};
  CHECK(load_error(ErrorCode::corrupt, value).find("added token a has id 9") != std::string::npos);
  value = small();
  value["model"].erase("vocab");
  CHECK(load_error(ErrorCode::corrupt, value) == "m/tokenizer.json: model has no \"vocab\"");
  value = small();
  value["normalizer"]["lowercase"] = 1;
  CHECK(load_error(ErrorCode::corrupt, value).find("\"lowercase\" is not true or false") != std::string::npos);
  for (const char* text : {"", "{", "[]", "null", "\xFF", "{\"model\": 3}"}) {
    test::error_of(ErrorCode::corrupt, [&] { WordPieceTokenizer::load({"m", text, std::nullopt, std::nullopt}); });
  }
  test::error_of(ErrorCode::not_found, [] { WordPieceTokenizer::load({"m", std::nullopt, std::nullopt, std::nullopt}); });
  test::error_of(ErrorCode::corrupt, [] { WordPieceTokenizer::load({"m", std::nullopt, "a\nb\n", std::nullopt}); });
  test::error_of(ErrorCode::corrupt, [] { WordPieceTokenizer::load({"m", std::nullopt, "", std::nullopt}); });
}

TEST_CASE("a tokenizer.json cut or flipped anywhere is loaded or refused") {
  const std::string whole = small().dump();
  const auto survives = [](const std::string& text) {
    try {
      WordPieceTokenizer::load({"m", text, std::nullopt, std::nullopt}).encode("a [SEP] b");
    } catch (const Error& error) {
      CHECK((error.code() == ErrorCode::corrupt || error.code() == ErrorCode::unsupported));
    }
  };
  for (std::size_t i = 0; i < whole.size(); ++i) {
    survives(whole.substr(0, i));
    for (const int bit : {0, 3, 5, 7}) {
      std::string flipped = whole;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      survives(flipped);
    }
  }
}

TEST_CASE("what cannot be encoded or truncated is an error") {
  CHECK(test::error_of(ErrorCode::invalid_argument, [] { golden().encode("a\xFF"); }) == "text is not UTF-8");
  test::error_of(ErrorCode::invalid_argument, [] { golden().encode("a", 1); });
  test::error_of(ErrorCode::invalid_argument, [] { golden().encode_pair("a", "b", 2); });
  test::error_of(ErrorCode::invalid_argument, [] { golden().encode("a b c", 4, Truncation::only_second); });
  test::error_of(ErrorCode::invalid_argument, [] { golden().encode_pair("a", "b c d e f", 5, Truncation::only_first); });
  CHECK(golden().encode("a b c", 2).size() == 2);
}
