#pragma once

#include <string>
#include <string_view>

#include "sign/ssh_key.h"

namespace dstore {

// What a signature is about (spec/signatures.md); it is signed too, so one can never pass for the other.
inline constexpr std::string_view kCommitNamespace = "dstore-commit@v1";
inline constexpr std::string_view kRefNamespace = "dstore-ref@v1";
inline constexpr std::string_view kEvaluationNamespace = "dstore-evaluation@v1";

/// An SSH signature (OpenSSH PROTOCOL.sshsig, version 1, hash sha512, Ed25519).
struct SshSignature {
  PublicKey key;
  std::string name_space;
  Ed25519Signature signature{};

  Bytes serialize() const;
  /// Exactly what serialize() writes for some signature; Error{corrupt} or {unsupported} naming `what` for all else.
  static SshSignature parse(ByteSpan blob, std::string_view what);
};

/// Binary SSH signature of `message`. Error{invalid_argument} if the namespace is empty.
Bytes sign_message(const PrivateKey& key, std::string_view name_space, ByteSpan message);

/// The key that made this signature of exactly `message` in exactly `name_space`; whether it is trusted is another
/// question (sign/trust.h). Error{untrusted} with the reason if it does not hold, malformed blobs included.
PublicKey verify_message(ByteSpan blob, std::string_view name_space, ByteSpan message);

/// The text form that ssh-keygen reads and writes: BEGIN line, base64 in 70 columns, END line.
std::string armor(ByteSpan blob);
/// Error{corrupt} naming `what`.
Bytes dearmor(std::string_view text, std::string_view what);

}  // namespace dstore
