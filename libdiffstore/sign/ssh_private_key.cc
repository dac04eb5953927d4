// The private key file of OpenSSH: PROTOCOL.key in its source, "openssh-key-v1".
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>

#include "dstore/error.h"
#include "sign/base64.h"
#include "sign/ssh_key.h"
#include "sign/ssh_wire.h"

namespace dstore {
namespace {

constexpr std::string_view kLabel = "OPENSSH PRIVATE KEY";
constexpr std::string_view kMagic{"openssh-key-v1\0", 15};
constexpr std::size_t kBlock = 8;  // of cipher "none"

[[noreturn]] void refuse(ErrorCode code, std::string_view what, std::string_view message) {
  throw Error(code, std::string(what) + ": " + std::string(message));
}

void expect(Reader& reader, bool condition, std::string_view message) {
  if (!condition) reader.fail(message);
}

// Advances to the section that would be encrypted and returns it.
ByteSpan read_outer(Reader& reader, std::string_view what, PublicKey& public_key) {
  expect(reader, reader.text(kMagic.size()) == kMagic, "not an openssh-key-v1 file");
  std::string_view cipher = ssh_wire::read_text(reader);
  std::string_view kdf = ssh_wire::read_text(reader);
  ByteSpan kdf_options = ssh_wire::read_string(reader);
  if (cipher != "none" || kdf != "none") {
    refuse(ErrorCode::unsupported, what,
           "the key has a passphrase, which is not supported; make a copy without one (cp KEY COPY; ssh-keygen -p -N '' "
           "-f COPY) and set DSTORE_KEY=COPY, or use a key of its own");
  }
  expect(reader, kdf_options.empty(), "options for a key derivation that is not used");
  expect(reader, ssh_wire::read_u32(reader) == 1, "a key file must hold exactly one key");
  public_key = PublicKey::parse_blob(ssh_wire::read_string(reader), what);
  ByteSpan section = ssh_wire::read_string(reader);
  reader.expect_end();
  return section;
}

}  // namespace

SecretText::~SecretText() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

PrivateKey::PrivateKey(Ed25519Seed seed, std::string comment)
    : seed_(std::move(seed)), public_key_{ed25519_public_key(seed_)}, comment_(std::move(comment)) {}

PrivateKey PrivateKey::parse(std::string_view text, std::string_view what) {
  std::optional<Bytes> decoded = pem_decode(text, kLabel);
  if (!decoded) {
    if (text.starts_with("-----BEGIN ") && !text.starts_with("-----BEGIN " + std::string(kLabel)))
      refuse(ErrorCode::unsupported, what, "not an OpenSSH Ed25519 key; make one with `ssh-keygen -t ed25519`");
    refuse(ErrorCode::corrupt, what, "not an OpenSSH private key file, or damaged");
  }
  const SecretText file(std::move(*decoded));
  Reader outer(file.bytes(), what);
  PublicKey listed;
  ByteSpan section = read_outer(outer, what, listed);

  Reader reader(section, what);
  expect(reader, section.size() % kBlock == 0, "the private section is not a multiple of 8 bytes");
  std::uint32_t check = ssh_wire::read_u32(reader);
  expect(reader, check == ssh_wire::read_u32(reader), "the two check numbers differ");
  expect(reader, ssh_wire::read_text(reader) == kSshEd25519, "the private key is of another type than the public key");
  ByteSpan point = ssh_wire::read_string(reader);
  ByteSpan secret = ssh_wire::read_string(reader);  // seed and public key
  expect(reader, point.size() == 32 && secret.size() == 64, "an Ed25519 key must have 32 and 64 bytes");
  std::string_view comment = ssh_wire::read_text(reader);
  expect(reader, reader.remaining() < kBlock, "too much padding");
  for (unsigned i = 1; reader.remaining() > 0; ++i) expect(reader, reader.u8() == i, "wrong padding");

  PrivateKey key(Ed25519Seed(secret.first<32>()), std::string(comment));
  const ByteSpan derived(key.public_key_.point);
  bool same = std::ranges::equal(derived, point) && std::ranges::equal(derived, secret.subspan(32)) && key.public_key_ == listed;
  expect(reader, same, "the public key does not belong to the private key");
  return key;
}

SecretText PrivateKey::serialize() const {
  // Reserved at once: a buffer that moves while it grows would leave secret bytes behind.
  Bytes section;
  section.reserve(256 + comment_.size());
  std::array<unsigned char, 4> check;
  if (RAND_bytes(check.data(), static_cast<int>(check.size())) != 1)
    throw Error(ErrorCode::io, "OpenSSL could not get random bytes");
  for (int i = 0; i < 2; ++i) ssh_wire::append(section, std::as_bytes(std::span(check)));
  ssh_wire::append_string(section, kSshEd25519);
  ssh_wire::append_string(section, ByteSpan(public_key_.point));
  ssh_wire::append_u32(section, 64);
  ssh_wire::append(section, seed_.bytes());
  ssh_wire::append(section, public_key_.point);
  ssh_wire::append_string(section, comment_);
  for (unsigned i = 1; section.size() % kBlock != 0; ++i) section.push_back(static_cast<std::byte>(i));
  const SecretText secret(std::move(section));

  Bytes file;
  file.reserve(256 + secret.bytes().size());
  ssh_wire::append(file, as_bytes(kMagic));
  ssh_wire::append_string(file, "none");
  ssh_wire::append_string(file, "none");
  ssh_wire::append_string(file, "");
  ssh_wire::append_u32(file, 1);
  ssh_wire::append_string(file, public_key_.blob());
  ssh_wire::append_string(file, secret.bytes());
  const SecretText whole(std::move(file));
  return SecretText(pem_encode(whole.bytes(), kLabel));
}

}  // namespace dstore
