#pragma once

#include <array>

#include "base/bytes.h"

namespace dstore {

using Ed25519PublicKey = std::array<std::byte, 32>;
using Ed25519Signature = std::array<std::byte, 64>;

/// The 32 secret bytes of an Ed25519 key. Movable, not copyable; wiped on destruction and when moved from.
class Ed25519Seed {
 public:
  static constexpr std::size_t kSize = 32;

  explicit Ed25519Seed(std::span<const std::byte, kSize> bytes);
  /// From the system's random source.
  static Ed25519Seed generate();
  ~Ed25519Seed();
  Ed25519Seed(Ed25519Seed&& other) noexcept;
  Ed25519Seed& operator=(Ed25519Seed&& other) noexcept;

  std::span<const std::byte, kSize> bytes() const { return bytes_; }

 private:
  std::array<std::byte, kSize> bytes_;
};

Ed25519PublicKey ed25519_public_key(const Ed25519Seed& seed);

/// Pure Ed25519 (RFC 8032, section 5.1.6). The public key is always derived from the seed: signing one message under
/// a public key from elsewhere would reveal the seed.
Ed25519Signature ed25519_sign(const Ed25519Seed& seed, ByteSpan message);

/// False for the eight points of small order and for encodings that are not the canonical one of their point
/// (y >= 2^255 - 19, or x = 0 with the sign bit set): under such a key one signature can fit many messages.
bool is_strict_ed25519_point(std::span<const std::byte, 32> encoding);

/// Whether a signature can be one at all, whatever the message: R is an encoding that is_strict_ed25519_point takes, and S is
/// below the group order.
bool is_strict_ed25519_signature(const Ed25519Signature& signature);

/// RFC 8032, section 5.1.7, for a strict key and a strict signature; false for others.
bool ed25519_verify(const Ed25519PublicKey& key, ByteSpan message, const Ed25519Signature& signature);

}  // namespace dstore
