#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "sign/ed25519.h"

namespace dstore {

inline constexpr std::string_view kSshEd25519 = "ssh-ed25519";

/// An Ed25519 public key that is_strict_ed25519_point accepts (every parser below checks that).
struct PublicKey {
  Ed25519PublicKey point{};

  /// "SHA256:" and 43 base64 digits, exactly as `ssh-keygen -lf` prints it.
  std::string fingerprint() const;
  /// The SSH wire form (51 bytes): string "ssh-ed25519", string point.
  Bytes blob() const;
  /// Error{corrupt}, or {unsupported} for another key type, naming `what`.
  static PublicKey parse_blob(ByteSpan blob, std::string_view what);

  friend auto operator<=>(const PublicKey&, const PublicKey&) = default;
  friend bool operator==(const PublicKey&, const PublicKey&) = default;
};

/// A line of an OpenSSH .pub file.
struct PublicKeyLine {
  PublicKey key;
  std::string comment;

  /// "ssh-ed25519 AAAA... comment", without a newline.
  std::string text() const;
  /// One line, with or without its newline. Error{corrupt} or {unsupported} naming `what`.
  static PublicKeyLine parse(std::string_view line, std::string_view what);
};

/// True for "SHA256:" and 43 base64 digits: what `--trust` accepts.
bool is_fingerprint(std::string_view text);

/// Text that is wiped on destruction and when moved from. Not copyable.
class SecretText {
 public:
  explicit SecretText(Bytes bytes) : bytes_(std::move(bytes)) {}
  ~SecretText();
  SecretText(SecretText&& other) noexcept : bytes_(std::move(other.bytes_)) {}
  SecretText& operator=(SecretText&&) = delete;

  ByteSpan bytes() const { return bytes_; }
  std::string_view text() const { return as_text(bytes_); }

 private:
  Bytes bytes_;
};

/// An Ed25519 key pair, as in an OpenSSH private key file. Movable, not copyable; wiped on destruction.
class PrivateKey {
 public:
  PrivateKey(Ed25519Seed seed, std::string comment);
  static PrivateKey generate(std::string comment) { return PrivateKey(Ed25519Seed::generate(), std::move(comment)); }

  /// An unencrypted "openssh-key-v1" file with one Ed25519 key. Error{corrupt} naming `what`; Error{unsupported} for an
  /// encrypted key or another key type.
  static PrivateKey parse(std::string_view text, std::string_view what);
  /// The file that parse() reads and OpenSSH writes: "-----BEGIN OPENSSH PRIVATE KEY-----" ...
  SecretText serialize() const;

  const PublicKey& public_key() const { return public_key_; }
  const std::string& comment() const { return comment_; }
  Ed25519Signature sign(ByteSpan message) const { return ed25519_sign(seed_, message); }

 private:
  Ed25519Seed seed_;
  PublicKey public_key_;
  std::string comment_;
};

}  // namespace dstore
