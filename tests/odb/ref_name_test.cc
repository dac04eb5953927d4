#include "odb/ref_name.h"

#include <cctype>
#include <set>

#include "test_store.h"

namespace dstore::test {

TEST_CASE("ordinary ref names are accepted and survive encoding") {
  for (const char* text : {"base", "sst2", "noun-topic", "v1.0", "feature/x", "a/b/c", "A", "Base_2", "0", "a-", "a.b", "x_lock", "lock", "a.locks"}) {
    const RefName name = RefName::parse(text);
    CHECK(name.text() == text);
    const auto back = RefName::decode(name.encode());
    REQUIRE(back.has_value());
    CHECK(*back == name);
    CHECK(name.encode().find('/') == std::string::npos);
  }
}

TEST_CASE("names that could leave the folder, break a terminal or read as a revision are refused") {
  std::vector<std::string> bad = {"", "/", "a/", "/a", "a//b", ".", "..", "../a", "a/..", "a/../b", "./a", "a/./b", ".hidden", "a/.b", "a.lock",
                                  "a.lock/b", "a/b.lock", ".lock", "-", "-x", "--", "a..b", "a.", "a./b", "a b", " a", "a ", "a\tb", "a\nb", "a\rb",
                                  "a\\b", "C:", "C:\\x", "\\\\host\\share", "a:b", "a*b", "a+b", "a~1", "a^", "a@b", "a,b", "(a)", "a)", "a%2fb", "%41",
                                  "a\x1b[31m", "a\x7f", "a\xc3\xa9", "\xe2\x80\xae", "a\xff", "a?b", "a[b", "a{b", "a|b", "a<b", "a>b", "a\"b", "a'b",
                                  "a`b", "$a", "a&b", "a;b", "a=b", "a!b", "#a", "a\u2215b"};
  bad.push_back(std::string("a\0b", 3));
  bad.push_back(std::string(256, 'a'));
  bad.push_back(std::string(86, 'A'));
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    if (c < 128 && (std::isalnum(c) || c == '.' || c == '_' || c == '-' || c == '/')) continue;
    bad.push_back(std::string("a") + byte + "b");
  }
  for (const std::string& text : bad) {
    INFO(printable(text));
    CHECK_FALSE(RefName::is_valid(text));
    CHECK(error_of([&] { RefName::parse(text); }) == ErrorCode::invalid_argument);
  }
  CHECK(RefName::is_valid(std::string(255, 'a')));
  CHECK(RefName::is_valid(std::string(85, 'A')));
}

TEST_CASE("no two names share a path component, also where case does not count") {
  std::set<std::string> folded;
  const std::vector<std::string> names = {"a", "A", "a/b", "A/b", "a/B", "a-b", "a_b", "a.b", "ab", "AB", "aB", "Ab", "a2fb", "x41", "xa"};
  for (const std::string& name : names) {
    std::string encoded = RefName::parse(name).encode();
    for (char& c : encoded) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    CHECK(folded.insert(encoded).second);
  }
}

TEST_CASE("only the one encoding of a name is decoded") {
  CHECK(RefName::decode("a%2fb")->text() == "a/b");
  CHECK(RefName::decode("%41")->text() == "A");
  for (const char* text : {"", "A", "a%2Fb", "%61", "%2f", "a%2f", "a%", "a%2", "a%zz", "a%00", "%2e%2e", "..", ".tmp-1", "a/b", "a%2f%2fb", "%2da"}) {
    CHECK_FALSE(RefName::decode(text).has_value());
  }
}

}  // namespace dstore::test
