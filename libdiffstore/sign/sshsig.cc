#include "sign/sshsig.h"

#include <openssl/evp.h>

#include <algorithm>

#include "dstore/error.h"
#include "sign/base64.h"
#include "sign/ssh_wire.h"

namespace dstore {
namespace {

constexpr std::string_view kMagic = "SSHSIG";
constexpr std::uint32_t kVersion = 1;
constexpr std::string_view kHash = "sha512";
constexpr std::string_view kLabel = "SSH SIGNATURE";

Bytes sha512(ByteSpan message) {
  Bytes digest(64);
  unsigned size = 0;
  if (EVP_Digest(message.data(), message.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha512(), nullptr) != 1)
    throw Error(ErrorCode::io, "OpenSSL could not compute a SHA-512");
  return digest;
}

// What Ed25519 signs: PROTOCOL.sshsig, section 3.
Bytes signed_data(std::string_view name_space, ByteSpan message) {
  Bytes out;
  ssh_wire::append(out, as_bytes(kMagic));
  ssh_wire::append_string(out, name_space);
  ssh_wire::append_string(out, "");
  ssh_wire::append_string(out, kHash);
  ssh_wire::append_string(out, sha512(message));
  return out;
}

}  // namespace

Bytes SshSignature::serialize() const {
  Bytes inner;
  ssh_wire::append_string(inner, kSshEd25519);
  ssh_wire::append_string(inner, ByteSpan(signature));
  Bytes out;
  ssh_wire::append(out, as_bytes(kMagic));
  ssh_wire::append_u32(out, kVersion);
  ssh_wire::append_string(out, key.blob());
  ssh_wire::append_string(out, name_space);
  ssh_wire::append_string(out, "");
  ssh_wire::append_string(out, kHash);
  ssh_wire::append_string(out, inner);
  return out;
}

SshSignature SshSignature::parse(ByteSpan blob, std::string_view what) {
  auto unsupported = [&](const std::string& message) { return Error(ErrorCode::unsupported, std::string(what) + ": " + message); };
  Reader reader(blob, what);
  if (reader.text(kMagic.size()) != kMagic) reader.fail("not an SSH signature");
  if (std::uint32_t version = ssh_wire::read_u32(reader); version != kVersion)
    throw unsupported("SSH signature version " + std::to_string(version) + ", only 1 is known");
  SshSignature out;
  out.key = PublicKey::parse_blob(ssh_wire::read_string(reader), what);
  out.name_space = ssh_wire::read_text(reader);
  if (out.name_space.empty()) reader.fail("the namespace is empty");
  if (!ssh_wire::read_string(reader).empty()) reader.fail("the reserved field is not empty");
  if (std::string_view hash = ssh_wire::read_text(reader); hash != kHash)
    throw unsupported("hash '" + printable(hash.substr(0, 64)) + "' of an SSH signature, only sha512 is known");
  Reader inner(ssh_wire::read_string(reader), what);
  reader.expect_end();
  if (ssh_wire::read_text(inner) != kSshEd25519) inner.fail("the signature is of another type than its key");
  ByteSpan signature = ssh_wire::read_string(inner);
  if (signature.size() != out.signature.size()) inner.fail("an Ed25519 signature must have 64 bytes");
  inner.expect_end();
  std::copy(signature.begin(), signature.end(), out.signature.begin());
  if (!is_strict_ed25519_signature(out.signature)) inner.fail("weak Ed25519 signature (small order or not canonical)");
  return out;
}

Bytes sign_message(const PrivateKey& key, std::string_view name_space, ByteSpan message) {
  if (name_space.empty()) throw Error(ErrorCode::invalid_argument, "a signature needs a namespace");
  return SshSignature{key.public_key(), std::string(name_space), key.sign(signed_data(name_space, message))}.serialize();
}

PublicKey verify_message(ByteSpan blob, std::string_view name_space, ByteSpan message) {
  SshSignature signature;
  try {
    signature = SshSignature::parse(blob, "signature");
  } catch (const Error& error) {
    throw Error(ErrorCode::untrusted, error.what());
  }
  if (signature.name_space != name_space) {
    throw Error(ErrorCode::untrusted, "signature is for namespace '" + printable(signature.name_space) + "', not for '" +
                                          std::string(name_space) + "'");
  }
  if (!ed25519_verify(signature.key.point, signed_data(name_space, message), signature.signature))
    throw Error(ErrorCode::untrusted, "signature by key " + signature.key.fingerprint() + " does not match what it should sign");
  return signature.key;
}

std::string armor(ByteSpan blob) { return std::string(as_text(pem_encode(blob, kLabel))); }

Bytes dearmor(std::string_view text, std::string_view what) {
  std::optional<Bytes> blob = pem_decode(text, kLabel);
  if (!blob) throw Error(ErrorCode::corrupt, std::string(what) + ": not an armored SSH signature, or damaged");
  return std::move(*blob);
}

}  // namespace dstore
