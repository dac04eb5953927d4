#include "sign/ssh_key.h"

#include "catch.h"
#include "sign/base64.h"
#include "sign/fixtures.h"
#include "sign/ssh_wire.h"

using namespace dstore;
using namespace dstore::test;

namespace {

constexpr std::string_view kLabel = "OPENSSH PRIVATE KEY";

PrivateKey parse_binary(ByteSpan binary) { return PrivateKey::parse(as_text(pem_encode(binary, kLabel)), "key"); }

Bytes binary_of(const PrivateKey& key) { return pem_decode(key.serialize().text(), kLabel).value(); }

}  // namespace

TEST_CASE("a private key file comes back with key and comment, whatever the comment's length") {
  for (unsigned length = 0; length < 40; ++length) {
    PrivateKey key = test_key(length, std::string(length, 'c'));
    SecretText file = key.serialize();
    PrivateKey back = PrivateKey::parse(file.text(), "key");
    CHECK(back.public_key() == key.public_key());
    CHECK(back.comment() == key.comment());
    CHECK(back.sign(as_bytes("m")) == key.sign(as_bytes("m")));
  }
}

TEST_CASE("two generated keys differ") {
  CHECK(PrivateKey::generate("a").public_key() != PrivateKey::generate("a").public_key());
}

TEST_CASE("a moved-from seed holds nothing") {
  Ed25519Seed seed = Ed25519Seed::generate();
  Ed25519Seed other = std::move(seed);
  for (std::byte byte : seed.bytes()) CHECK(byte == std::byte{0});  // NOLINT(bugprone-use-after-move)
  seed = std::move(other);
  for (std::byte byte : other.bytes()) CHECK(byte == std::byte{0});  // NOLINT(bugprone-use-after-move)
}

TEST_CASE("a private key file cut anywhere is refused") {
  PrivateKey key = test_key(1);
  SecretText file = key.serialize();
  for (std::size_t size = 0; size + 1 < file.text().size(); ++size)
    CHECK(refuses([&] { PrivateKey::parse(file.text().substr(0, size), "key"); }));
  Bytes binary = binary_of(key);
  for (std::size_t size = 0; size < binary.size(); ++size)
    CHECK(refuses([&] { parse_binary(ByteSpan(binary).first(size)); }));
  binary.push_back(std::byte{0});
  CHECK(refuses([&] { parse_binary(binary); }));
}

TEST_CASE("no flipped bit in a private key file gives another key") {
  PrivateKey key = test_key(2);
  Bytes binary = binary_of(key);
  std::size_t comment_size = key.comment().size();
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < binary.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bad = binary;
      bad[i] ^= static_cast<std::byte>(1 << bit);
      std::optional<PublicKey> found;
      if (refuses([&] { found = parse_binary(bad).public_key(); })) continue;
      CHECK(found == key.public_key());
      ++accepted;
    }
  }
  CHECK(accepted == 8 * comment_size);  // only the comment is free
}

TEST_CASE("padding of a private key file must count 1, 2, 3 and be shorter than a block") {
  for (unsigned length = 0; length < 8; ++length) {
    Bytes binary = binary_of(test_key(3, std::string(length, 'x')));
    // Eight more bytes that count on, with the section's length adjusted, are still too many.
    const std::size_t section_at = 15 + 8 + 8 + 4 + 4 + 4 + 51;
    const std::size_t section = binary.size() - section_at - 4;
    Bytes longer(binary.begin(), binary.begin() + static_cast<std::ptrdiff_t>(section_at));
    ssh_wire::append_u32(longer, static_cast<std::uint32_t>(section + 8));
    longer.insert(longer.end(), binary.begin() + static_cast<std::ptrdiff_t>(section_at) + 4, binary.end());
    // 8 + 15 + 36 + 68 + 4 bytes stand before the comment and its padding.
    const unsigned padding = static_cast<unsigned>((8 - (131 + length) % 8) % 8);
    for (unsigned i = 1; i <= 8; ++i) longer.push_back(static_cast<std::byte>(padding + i));
    CHECK(error_of([&] { parse_binary(longer); }, ErrorCode::corrupt).find("too much padding") != std::string::npos);
  }
}

TEST_CASE("keys with a passphrase and keys of other formats are named as such") {
  Bytes file = to_bytes(std::string_view("openssh-key-v1\0", 15));
  ssh_wire::append_string(file, "aes256-ctr");
  ssh_wire::append_string(file, "bcrypt");
  ssh_wire::append_string(file, "salt");
  std::string message = error_of([&] { parse_binary(file); }, ErrorCode::unsupported);
  CHECK(message.find("passphrase") != std::string::npos);
  CHECK(message.find("ssh-keygen -p -N ''") != std::string::npos);
  std::string rsa = "-----BEGIN RSA PRIVATE KEY-----\nZm9v\n-----END RSA PRIVATE KEY-----\n";
  CHECK(error_of([&] { PrivateKey::parse(rsa, "key"); }, ErrorCode::unsupported).find("ed25519") != std::string::npos);
}

TEST_CASE("a private key file whose public key is another one is refused") {
  Bytes binary = binary_of(test_key(4));
  PublicKey other = test_key(5).public_key();
  PublicKey own = test_key(4).public_key();
  // Every copy of the public key (outer, inner, second half of the secret), one at a time and all together.
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i + 32 <= binary.size(); ++i)
    if (std::equal(own.point.begin(), own.point.end(), binary.begin() + static_cast<std::ptrdiff_t>(i))) places.push_back(i);
  REQUIRE(places.size() == 3);
  Bytes all = binary;
  for (std::size_t place : places) {
    Bytes one = binary;
    std::copy(other.point.begin(), other.point.end(), one.begin() + static_cast<std::ptrdiff_t>(place));
    std::copy(other.point.begin(), other.point.end(), all.begin() + static_cast<std::ptrdiff_t>(place));
    CHECK(refuses([&] { parse_binary(one); }));
  }
  CHECK(refuses([&] { parse_binary(all); }));
}

TEST_CASE("a public key line comes back, and is refused when cut in the key") {
  PublicKeyLine line{test_key(6).public_key(), "ada's laptop"};
  std::string text = line.text();
  CHECK(PublicKeyLine::parse(text, "line").key == line.key);
  CHECK(PublicKeyLine::parse(text + "\r\n", "line").comment == line.comment);
  std::size_t key_end = text.find(" ada");
  for (std::size_t size = 0; size < key_end; ++size)
    CHECK(refuses([&] { PublicKeyLine::parse(text.substr(0, size), "line"); }));
  for (std::size_t size = key_end; size <= text.size(); ++size)
    CHECK(PublicKeyLine::parse(text.substr(0, size), "line").key == line.key);
  CHECK(refuses([&] { PublicKeyLine::parse(text + "\nssh-ed25519", "line"); }));
  CHECK_FALSE(error_of([&] { PublicKeyLine::parse("ssh-rsa AAAA x", "line"); }, ErrorCode::unsupported).empty());
}

TEST_CASE("a public key of small order is refused wherever it is read") {
  PublicKey weak;
  weak.point[0] = std::byte{1};
  CHECK(refuses([&] { PublicKey::parse_blob(weak.blob(), "key"); }));
  CHECK(refuses([&] { PublicKeyLine::parse(PublicKeyLine{weak, ""}.text(), "line"); }));
}

TEST_CASE("a public key blob cut or longer is refused") {
  Bytes blob = test_key(7).public_key().blob();
  CHECK(blob.size() == 51);
  for (std::size_t size = 0; size < blob.size(); ++size)
    CHECK(refuses([&] { PublicKey::parse_blob(ByteSpan(blob).first(size), "key"); }));
  blob.push_back(std::byte{0});
  CHECK(refuses([&] { PublicKey::parse_blob(blob, "key"); }));
}

TEST_CASE("a fingerprint has one form") {
  std::string fingerprint = test_key(8).public_key().fingerprint();
  CHECK(is_fingerprint(fingerprint));
  CHECK_FALSE(is_fingerprint(fingerprint + "="));
  CHECK_FALSE(is_fingerprint(fingerprint.substr(0, fingerprint.size() - 1)));
  CHECK_FALSE(is_fingerprint("sha256" + fingerprint.substr(6)));
  CHECK_FALSE(is_fingerprint(""));
}
