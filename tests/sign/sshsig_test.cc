#include "sign/sshsig.h"

#include "catch.h"
#include "sign/fixtures.h"
#include "sign/signature_object.h"
#include "sign/ssh_wire.h"

using namespace dstore;
using namespace dstore::test;

namespace {

std::string verify_error(ByteSpan blob, std::string_view name_space, ByteSpan message) {
  return error_of([&] { verify_message(blob, name_space, message); }, ErrorCode::untrusted);
}

// A blob with chosen fields.
Bytes blob_with(const PublicKey& key, std::string_view name_space, std::string_view reserved, std::string_view hash,
                std::string_view type, ByteSpan signature, std::uint32_t version = 1) {
  Bytes inner;
  ssh_wire::append_string(inner, type);
  ssh_wire::append_string(inner, signature);
  Bytes out = to_bytes("SSHSIG");
  ssh_wire::append_u32(out, version);
  ssh_wire::append_string(out, key.blob());
  ssh_wire::append_string(out, name_space);
  ssh_wire::append_string(out, reserved);
  ssh_wire::append_string(out, hash);
  ssh_wire::append_string(out, inner);
  return out;
}

}  // namespace

TEST_CASE("a signature verifies for its message and namespace and says whose it is") {
  PrivateKey key = test_key(10);
  for (std::size_t size : {0u, 1u, 63u, 1000u, 100000u}) {
    Bytes message = random_bytes(size, 1);
    CHECK(verify_message(sign_message(key, kCommitNamespace, message), kCommitNamespace, message) == key.public_key());
  }
}

TEST_CASE("a signature for one namespace does not pass for another") {
  Bytes message = to_bytes("{}");
  Bytes blob = sign_message(test_key(10), kRefNamespace, message);
  CHECK(verify_error(blob, kCommitNamespace, message).find("namespace 'dstore-ref@v1'") != std::string::npos);
  SshSignature renamed = SshSignature::parse(blob, "blob");
  renamed.name_space = kCommitNamespace;
  CHECK(verify_error(renamed.serialize(), kCommitNamespace, message).find("does not match") != std::string::npos);
  CHECK_FALSE(error_of([&] { sign_message(test_key(10), "", message); }, ErrorCode::invalid_argument).empty());
}

TEST_CASE("no flipped bit of a signature or of its message verifies") {
  Bytes message = to_bytes(R"({"message":"sst2, 0.5 % of the weights"})");
  Bytes blob = sign_message(test_key(11), kCommitNamespace, message);
  for (Bytes* bytes : {&blob, &message}) {
    for (std::size_t i = 0; i < bytes->size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        (*bytes)[i] ^= static_cast<std::byte>(1 << bit);
        CHECK_FALSE(verify_error(blob, kCommitNamespace, message).empty());
        (*bytes)[i] ^= static_cast<std::byte>(1 << bit);
      }
    }
  }
  CHECK(verify_error(blob, kCommitNamespace, message).empty());
}

TEST_CASE("a signature cut anywhere or with bytes after its end is refused") {
  Bytes message = to_bytes("m");
  Bytes blob = sign_message(test_key(12), kCommitNamespace, message);
  std::string text = armor(blob);
  CHECK(dearmor(text, "sig") == blob);
  for (std::size_t size = 0; size < blob.size(); ++size) {
    CHECK(refuses([&] { SshSignature::parse(ByteSpan(blob).first(size), "sig"); }));
    CHECK_FALSE(verify_error(ByteSpan(blob).first(size), kCommitNamespace, message).empty());
  }
  for (std::size_t size = 0; size + 1 < text.size(); ++size) CHECK(refuses([&] { dearmor(text.substr(0, size), "sig"); }));
  blob.push_back(std::byte{0});
  CHECK(refuses([&] { SshSignature::parse(blob, "sig"); }));
}

TEST_CASE("a signature has exactly the fields that are written here") {
  PrivateKey key = test_key(13);
  const Bytes message = to_bytes("m");
  const Bytes good = sign_message(key, kCommitNamespace, message);
  const Ed25519Signature raw = SshSignature::parse(good, "sig").signature;
  CHECK(blob_with(key.public_key(), kCommitNamespace, "", "sha512", "ssh-ed25519", raw) == good);
  const Bytes bad[] = {
      blob_with(key.public_key(), kCommitNamespace, "x", "sha512", "ssh-ed25519", raw),
      blob_with(key.public_key(), kCommitNamespace, "", "sha256", "ssh-ed25519", raw),
      blob_with(key.public_key(), kCommitNamespace, "", "sha512", "ssh-rsa", raw),
      blob_with(key.public_key(), kCommitNamespace, "", "sha512", "ssh-ed25519", ByteSpan(raw).first(63)),
      blob_with(key.public_key(), "", "", "sha512", "ssh-ed25519", raw),
      blob_with(key.public_key(), kCommitNamespace, "", "sha512", "ssh-ed25519", raw, 2),
  };
  for (const Bytes& blob : bad) {
    CHECK(refuses([&] { SshSignature::parse(blob, "sig"); }));
    CHECK_FALSE(verify_error(blob, kCommitNamespace, message).empty());
  }
}

TEST_CASE("the identity key, under which S = 0 fits every message, is refused") {
  PublicKey identity;
  identity.point[0] = std::byte{1};
  Ed25519Signature zero{};
  zero[0] = std::byte{1};
  Bytes forged = SshSignature{identity, std::string(kCommitNamespace), zero}.serialize();
  CHECK(verify_error(forged, kCommitNamespace, as_bytes("anything")).find("weak") != std::string::npos);
}

TEST_CASE("the vector of spec/signatures.md is what is written here") {
  PrivateKey key(Ed25519Seed(array_from_hex<32>("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")), "");
  CHECK(key.public_key().fingerprint() == "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8");
  CHECK(armor(sign_message(key, kCommitNamespace, as_bytes("{}"))) ==
        "-----BEGIN SSH SIGNATURE-----\n"
        "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg11qYAYKxCrfVS/7TyWQHOg7hcv\n"
        "PapiMlrwIaaPcHURoAAAAQZHN0b3JlLWNvbW1pdEB2MQAAAAAAAAAGc2hhNTEyAAAAUwAA\n"
        "AAtzc2gtZWQyNTUxOQAAAEDPQRIUoqwUuKAu70LzGYnpbLe9tg7DXGurAtBnWOdSzMbdmZ\n"
        "k7kjQentThYrxkNJUqrev/P+/75faNMDhCrfkI\n"
        "-----END SSH SIGNATURE-----\n");
}

TEST_CASE("a signature object is the target's id and the signature, and nothing else") {
  SignatureObject object{object_id(ObjectKind::commit, as_bytes("{}")), sign_message(test_key(14), kCommitNamespace, as_bytes("{}"))};
  Bytes bytes = object.serialize();
  SignatureObject back = SignatureObject::parse(bytes, "signature");
  CHECK(back.target == object.target);
  CHECK(back.blob == object.blob);
  CHECK(verify_message(back.blob, kCommitNamespace, as_bytes("{}")) == test_key(14).public_key());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK(refuses([&] { SignatureObject::parse(ByteSpan(bytes).first(size), "signature"); }));
  bytes.push_back(std::byte{0});
  CHECK(refuses([&] { SignatureObject::parse(bytes, "signature"); }));
}
