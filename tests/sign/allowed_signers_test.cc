#include "sign/allowed_signers.h"

#include "catch.h"
#include "sign/base64.h"
#include "sign/fixtures.h"
#include "sign/ssh_wire.h"

using namespace dstore;
using namespace dstore::test;

namespace {

std::string key_text(unsigned number) { return PublicKeyLine{test_key(number).public_key(), ""}.text(); }

std::string blob_of_type(std::string_view type) {
  Bytes blob;
  ssh_wire::append_string(blob, type);
  ssh_wire::append_string(blob, "whatever");
  return std::string(as_text(base64_encode(blob)));
}

}  // namespace

TEST_CASE("allowed_signers gives its signers in order, past comments, blank lines and other key types") {
  std::string text = "# comment\n\n   \t\r\nada@x,bob@y " + key_text(1) + " laptop\r\n" + "rsa@x ssh-rsa " + blob_of_type("ssh-rsa") + "\n" +
                     "sk@x namespaces=\"git\" sk-ssh-ed25519@openssh.com " + blob_of_type("sk-ssh-ed25519@openssh.com") + " c\n" +
                     "  eve namespaces=\"git,dstore-*\"\t" + key_text(2);
  AllowedSigners parsed = parse_allowed_signers(text, "file");
  REQUIRE(parsed.signers.size() == 2);
  CHECK(parsed.signers[0].principals == "ada@x,bob@y");
  CHECK(parsed.signers[0].first_principal() == "ada@x");
  CHECK(parsed.signers[0].key == test_key(1).public_key());
  CHECK(parsed.signers[0].allows_namespace("anything"));
  CHECK(parsed.signers[1].allows_namespace("dstore-ref@v1"));
  CHECK_FALSE(parsed.signers[1].allows_namespace("file"));
  CHECK(parsed.notices.empty());
}

TEST_CASE("certificate authorities are ignored with a notice that names the line") {
  AllowedSigners parsed = parse_allowed_signers("\n*@x cert-authority " + key_text(1) + "\n", "file");
  CHECK(parsed.signers.empty());
  REQUIRE(parsed.notices.size() == 1);
  CHECK(parsed.notices[0].find("file:2: certificate authorities") == 0);
}

TEST_CASE("a line that is neither correct nor of another key type is an error with its number") {
  PublicKey weak;
  weak.point[0] = std::byte{1};
  const std::string bad[] = {
      "ada",
      "ada " + key_text(1).substr(0, 60),
      "ada ssh-ed25519",
      "ada ssh-ed25519 ====",
      "ada ssh-ed25519 " + blob_of_type("ssh-rsa"),
      "ada ssh-rsa " + key_text(1).substr(12),
      "ada ssh-rsa not-base64",
      key_text(1),
      "ada namespaces=\"git " + key_text(1),
      "ada namespaces=git " + key_text(1),
      "ada namespaces=\"git\"x " + key_text(1),
      "ada namespaces=\"a\",namespaces=\"b\" " + key_text(1),
      "ada valid-after=\"2020\" " + key_text(1),
      "ada valid-after=\"20200230Z\" " + key_text(1),
      "ada valid-after=\"20200101Z\",valid-before=\"20200101Z\" " + key_text(1),
      "ada no-touch-required=\"\" " + key_text(1),
      "ada namespaces=\"git\"",
      "\"ada " + key_text(1),
      "\x1b[31mada " + key_text(1),
      "ada " + PublicKeyLine{weak, ""}.text(),
  };
  for (const std::string& line : bad) {
    INFO(line);
    std::string message = error_of([&] { parse_allowed_signers("# first\n" + line + "\n", "file"); }, ErrorCode::corrupt);
    CHECK(message.find("file:2: ") == 0);
  }
}

TEST_CASE("a line of allowed_signers cut anywhere is refused or still the same key") {
  std::string line = "\"ada\" namespaces=\"dstore-*\",valid-after=\"20200101Z\",valid-before=\"202101010000\" " + key_text(1) + " laptop";
  for (std::size_t size = 0; size <= line.size(); ++size) {
    refuses([&] {
      for (const AllowedSigner& signer : parse_allowed_signers(line.substr(0, size), "file").signers) {
        CHECK(signer.key == test_key(1).public_key());
        CHECK(signer.valid_after == 1577836800);
        CHECK(signer.valid_before.has_value());
      }
    });
  }
  CHECK(parse_allowed_signers(line, "file").signers.size() == 1);
}

TEST_CASE("damaged allowed_signers files never give a key that is not in them") {
  const std::string text = "ada,bob namespaces=\"git,dstore-*\" " + key_text(1) + " c\n# x\neve cert-authority " + key_text(2) + "\n";
  std::mt19937 random(7);
  for (int round = 0; round < 5000; ++round) {
    std::string bad = text;
    for (unsigned i = 0; i <= random() % 3; ++i) bad[random() % bad.size()] = static_cast<char>(random());
    refuses([&] {
      for (const AllowedSigner& signer : parse_allowed_signers(bad, "file").signers) CHECK_FALSE(signer.principals.empty());
    });
    refuses([&] { parse_key_list(bad, "file"); });
  }
}

TEST_CASE("a principal that would change the meaning of its line is refused") {
  PublicKey key = test_key(1).public_key();
  for (const char* name : {"", "a b", "a,b", "*", "a?", "!a", "#a", "\"a\"", "a\nb ssh-ed25519", "a\tb", "\xff", "a\x7f", "\xe2\x80\xae" "a"})
    CHECK_FALSE(error_of([&] { allowed_signers_line(name, key); }, ErrorCode::invalid_argument).empty());
  CHECK_FALSE(error_of([&] { allowed_signers_line(std::string(256, 'a'), key); }, ErrorCode::invalid_argument).empty());
  for (const char* name : {"ada@example.org", "Zo\xc3\xab", "SHA256:a+/b"}) {
    AllowedSigners parsed = parse_allowed_signers(allowed_signers_line(name, key), "file");
    REQUIRE(parsed.signers.size() == 1);
    CHECK(parsed.signers[0].principals == name);
  }
}

TEST_CASE("any author becomes a principal") {
  CHECK(principal_from_author("Ada Lovelace <ada@example.org>") == "ada@example.org");
  CHECK(principal_from_author("Ada Lovelace") == "Ada_Lovelace");
  CHECK(principal_from_author("") == "unknown");
  CHECK(principal_from_author("<>") == "<>");
  for (unsigned i = 0; i < 500; ++i) {
    Bytes noise = random_bytes(i % 300, i);
    CHECK(is_plain_principal(principal_from_author(as_text(noise))));
  }
}

TEST_CASE("revoked_keys takes public key lines, skips other types and names bad ones") {
  std::vector<PublicKey> keys = parse_key_list("# gone\n" + key_text(1) + " stolen\nssh-rsa " + blob_of_type("ssh-rsa") + "\n" + key_text(2), "file");
  CHECK(keys == std::vector<PublicKey>{test_key(1).public_key(), test_key(2).public_key()});
  CHECK(error_of([&] { parse_key_list("\nada " + key_text(1), "file"); }, ErrorCode::corrupt).find("file:2: ") == 0);
  CHECK_FALSE(error_of([&] { parse_key_list("SSHKRL\n", "file"); }, ErrorCode::unsupported).empty());
}

TEST_CASE("pattern lists match as OpenSSH's do") {
  struct Row {
    const char *text, *patterns;
    bool matches;
  };
  const Row rows[] = {{"git", "git", true},       {"git", "gi", false},       {"git", "*", true},          {"git", "g*t,x", true},
                      {"git", "x,g?t", true},     {"git", "*,!git", false},   {"git", "!git,*", false},    {"git", "!x", false},
                      {"", "*", true},            {"", "", true},             {"git", "", false},          {"aaab", "*a*b", true},
                      {"dstore-ref@v1", "dstore-*@v?", true}, {"dstore-ref@v10", "dstore-*@v?", false}, {"git", "git*", true}, {"git", "git?", false}};
  for (const Row& row : rows) {
    INFO(row.text << " against " << row.patterns);
    CHECK(matches_pattern_list(row.text, row.patterns) == row.matches);
  }
  CHECK_FALSE(matches_pattern_list(std::string(5000, 'a'), std::string(200, '*') + "a*a*a*a*a*a*a*a*b"));
}
