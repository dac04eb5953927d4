#include "base/json.h"

#include "base/scratch.h"
#include "catch.h"

namespace dstore::test {
namespace {

Json parse(std::string_view text) { return Json::parse(text, "test"); }

std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST_CASE("canonical JSON comes back as the same bytes") {
  const std::string text = GENERATE(as<std::string>{},
      "{}", "[]", "0", "-1", "9007199254740991", "-9007199254740991", "\"\"", "\"\\\"\\\\/\"", "\"\\u0000\\u001f\"", "\"\x7f\"",
      "\"\xc3\xa9\xf0\x9f\x98\x80\"", "[1,\"a\",[],{}]", "{\"\":1,\"A\":2,\"a\":3,\"aa\":4,\"\xc3\xa9\":5}",
      "{\"a\":{\"b\":[{\"c\":-7}]}}");
  CHECK(parse(text).serialize() == text);
  CHECK(parse(parse(text).serialize()) == parse(text));
}

TEST_CASE("canonical JSON refuses every other form") {
  const std::string text = GENERATE(as<std::string>{},
      "", " {}", "{} ", "{}\n", "\xef\xbb\xbf{}", "{ }", "[1, 2]", "{\"a\": 1}", "{\"b\":1,\"a\":2}", "{\"a\":1,\"a\":1}", "{\"a\":1,}",
      "[1,]", "[,1]", "{,}", "{a:1}", "{1:1}", "{\"a\"}", "{\"a\":}", "null", "true", "false", "1.0", "1e3", "+1", "01", "-0", "-", "--1",
      "9007199254740992", "-9007199254740992", "99999999999999999999999", "\"a", "\"\n\"", "\"\t\"", "\"\\n\"", "\"\\/\"", "\"\\u0041\"",
      "\"\\u001F\"", "\"\\u0020\"", "\"\\ud83d\\ude00\"", "\"\\u00\"", "\"\\", "\"\\u\"", "'a'", "\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"",
      "\"\xc0\x80\"", "{}{}", "1 2", "[", "{", "[[]", "{\"a\":1", "nan", "Infinity", "/*x*/1");
  INFO(text);
  CHECK(error_of([&] { parse(text); }) == ErrorCode::corrupt);
}

TEST_CASE("canonical JSON is nested at most 16 deep, and never writes more") {
  CHECK(parse(nested(17)).serialize() == nested(17));  // the innermost array is inside 16 others
  CHECK(error_of([] { parse(nested(18)); }) == ErrorCode::corrupt);
  CHECK(error_of([] { parse(std::string(1'000'000, '[')); }) == ErrorCode::corrupt);
  Json deep(1);
  for (int i = 0; i < 17; ++i) deep = Json(Json::Array{deep});
  CHECK(error_of([&] { deep.serialize(); }) == ErrorCode::invalid_argument);
}

TEST_CASE("what a reader would refuse is not written") {
  CHECK(error_of([] { Json("\xff").serialize(); }) == ErrorCode::invalid_argument);
  CHECK(error_of([] { Json(std::int64_t{1} << 53).serialize(); }) == ErrorCode::invalid_argument);
  Json key;
  key.set("\xff", 1);
  CHECK(error_of([&] { key.serialize(); }) == ErrorCode::invalid_argument);
}

TEST_CASE("members of another type or name are corrupt, not a crash") {
  const Json json = parse("{\"a\":1}");
  CHECK(error_of([&] { json.at("b"); }) == ErrorCode::corrupt);
  CHECK(error_of([&] { json.at("a").string(); }) == ErrorCode::corrupt);
  CHECK(error_of([&] { json.at("a").object(); }) == ErrorCode::corrupt);
  CHECK(error_of([&] { json.at("a").array(); }) == ErrorCode::corrupt);
  CHECK(error_of([&] { json.at("a").find("x"); }) == ErrorCode::corrupt);
  CHECK(error_of([&] { json.integer(); }) == ErrorCode::corrupt);
  CHECK(json.find("b") == nullptr);
}

TEST_CASE("canonical JSON survives truncation and changed bytes") {
  const std::string text = "{\"a\":[1,\"\\u0007x\\\"\",-5],\"b\":{\"c\":\"\xc3\xa9\"}}";
  for (std::size_t n = 0; n < text.size(); ++n) CHECK(error_of([&] { parse(text.substr(0, n)); }) == ErrorCode::corrupt);
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int c = 0; c < 256; ++c) {
      std::string changed = text;
      changed[i] = static_cast<char>(c);
      try {
        if (parse(changed).serialize() != changed) FAIL("accepted a second form: " << changed);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::corrupt) FAIL(error.what());
      }
    }
  }
}

}  // namespace
}  // namespace dstore::test
