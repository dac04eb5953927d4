#include "tensor/ignore_file.h"

#include "catch.h"
#include "dstore/error.h"

using namespace dstore;

TEST_CASE("ignore patterns match as in .gitignore") {
  struct Case {
    const char* rules;
    const char* path;
    bool is_directory;
    bool ignored;
  };
  const std::vector<Case> cases{
      {"", "a", false, false},
      {"# optimizer.pt\n", "optimizer.pt", false, false},
      {"optimizer.pt", "optimizer.pt", false, true},
      {"optimizer.pt\r\n", "optimizer.pt", false, true},
      {"optimizer.pt", "checkpoint-1/optimizer.pt", false, true},
      {"optimizer.pt", "xoptimizer.pt", false, false},
      {"optimizer.pt", "optimizer.pt.json", false, false},
      {"*.pt", "a.pt", false, true},
      {"*.pt", "x/y/.pt", false, true},
      {"*.pt", "a.ptx", false, false},
      {"/a.txt", "a.txt", false, true},
      {"/a.txt", "x/a.txt", false, false},
      {"x/a.txt", "x/a.txt", false, true},
      {"x/a.txt", "y/x/a.txt", false, false},
      {"x/*", "x/a", false, true},
      {"x/*", "x/a/b", false, false},
      {"x/**", "x/a/b", false, true},
      {"x/**", "x", true, false},
      {"**/a", "a", false, true},
      {"**/a", "x/y/a", false, true},
      {"**/a", "x/ya", false, false},
      {"x/**/a", "x/a", false, true},
      {"x/**/a", "x/y/z/a", false, true},
      {"x/**/a", "xa", false, false},
      {"a**b", "a123b", false, true},
      {"a**b", "a1/3b", false, false},
      {"run-?", "run-1", false, true},
      {"run-?", "run-12", false, false},
      {"run-?", "run-\xce\xb8", false, true},
      {"a?b", "a/b", false, false},
      {"logs/", "logs", true, true},
      {"logs/", "logs", false, false},
      {"logs/", "x/logs", true, true},
      {"/logs/", "x/logs", true, false},
      {"*.json\n!config.json", "tokenizer.json", false, true},
      {"*.json\n!config.json", "config.json", false, false},
      {"!config.json\n*.json", "config.json", false, true},
      {"\n  \n/\n", "a", false, false},
      {"*", "anything/at/all", false, true},
  };
  for (const Case& row : cases) {
    INFO(row.rules << " on " << row.path);
    CHECK(IgnoreFile(row.rules, ".dstoreignore").ignores(row.path, row.is_directory) == row.ignored);
  }
}

TEST_CASE("patterns that are not understood are refused with their line") {
  for (const char* rules : {"a\n[bc]\n", "x\ny\\ \n", "x\n\xff\n"}) {
    try {
      IgnoreFile(rules, "f/.dstoreignore");
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::invalid_argument);
      CHECK(std::string(error.what()).starts_with("f/.dstoreignore:2: "));
    }
  }
}

TEST_CASE("a pattern of many stars is cheap") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  CHECK_FALSE(IgnoreFile(pattern + "b", "x").ignores(std::string(2000, 'a'), false));
}
