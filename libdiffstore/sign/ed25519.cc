#include "sign/ed25519.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>

#include "dstore/error.h"

namespace dstore {
namespace {

using FieldBytes = std::array<std::uint8_t, 32>;  // little-endian

struct PkeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct DigestFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyFree>;
using Digest = std::unique_ptr<EVP_MD_CTX, DigestFree>;

// The y coordinates of the eight points whose order divides 8: the neutral element, the point of order 2, two of order 4
// (one y) and four of order 8 (two y). Solutions of 8P = 0 on the curve of RFC 8032, section 5.1; the same points are in
// libsodium's ge25519_has_small_order and in C. Cremers, D. Jackson, "Prime, Order Please!" (CSF 2019), table 4.
// tests/sign/ed25519_test.cc recomputes them from the curve equation.
constexpr FieldBytes kSmallOrderY[] = {
    {0x01},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0x00},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

// p = 2^255 - 19 and L = 2^252 + 27742317777372353535851937790883648493 (RFC 8032, section 5.1).
constexpr FieldBytes kPrime = {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                               0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                               0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
constexpr FieldBytes kGroupOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                    0xa2, 0xde, 0xf9, 0xde, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10};

bool less_than(const FieldBytes& a, const FieldBytes& b) {
  return std::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend());
}

FieldBytes field_bytes(std::span<const std::byte, 32> bytes) {
  FieldBytes out;
  std::memcpy(out.data(), bytes.data(), out.size());
  return out;
}

[[noreturn]] void fail(const char* operation) {
  throw Error(ErrorCode::io, std::string("OpenSSL could not ") + operation + " (is Ed25519 switched off, as in FIPS mode?)");
}

const unsigned char* uchars(ByteSpan bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* uchars(MutableByteSpan bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

Pkey private_pkey(const Ed25519Seed& seed) {
  Pkey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, uchars(seed.bytes()), seed.bytes().size()));
  if (!key) fail("load a private key");
  return key;
}

}  // namespace

Ed25519Seed::Ed25519Seed(std::span<const std::byte, kSize> bytes) { std::copy(bytes.begin(), bytes.end(), bytes_.begin()); }

Ed25519Seed Ed25519Seed::generate() {
  std::array<std::byte, kSize> bytes;
  if (RAND_priv_bytes(uchars(MutableByteSpan(bytes)), kSize) != 1) fail("get random bytes");
  Ed25519Seed seed(bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return seed;
}

Ed25519Seed::~Ed25519Seed() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Ed25519Seed::Ed25519Seed(Ed25519Seed&& other) noexcept : bytes_(other.bytes_) {
  OPENSSL_cleanse(other.bytes_.data(), other.bytes_.size());
}

Ed25519Seed& Ed25519Seed::operator=(Ed25519Seed&& other) noexcept {
  if (this != &other) {
    bytes_ = other.bytes_;
    OPENSSL_cleanse(other.bytes_.data(), other.bytes_.size());
  }
  return *this;
}

Ed25519PublicKey ed25519_public_key(const Ed25519Seed& seed) {
  Pkey key = private_pkey(seed);
  Ed25519PublicKey out;
  std::size_t size = out.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), uchars(MutableByteSpan(out)), &size) != 1 || size != out.size())
    fail("derive a public key");
  return out;
}

Ed25519Signature ed25519_sign(const Ed25519Seed& seed, ByteSpan message) {
  Pkey key = private_pkey(seed);
  Digest digest(EVP_MD_CTX_new());
  Ed25519Signature out;
  std::size_t size = out.size();
  if (!digest || EVP_DigestSignInit(digest.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(digest.get(), uchars(MutableByteSpan(out)), &size, uchars(message), message.size()) != 1 || size != out.size())
    fail("sign");
  return out;
}

bool is_strict_ed25519_point(std::span<const std::byte, 32> encoding) {
  FieldBytes y = field_bytes(encoding);
  y[31] &= 0x7f;  // the sign of x
  // x = 0 only where y = 1 or y = -1, which the table refuses with either sign.
  return less_than(y, kPrime) && std::find(std::begin(kSmallOrderY), std::end(kSmallOrderY), y) == std::end(kSmallOrderY);
}

bool is_strict_ed25519_signature(const Ed25519Signature& signature) {
  const std::span<const std::byte, 64> both(signature);
  return is_strict_ed25519_point(both.first<32>()) && less_than(field_bytes(both.last<32>()), kGroupOrder);
}

bool ed25519_verify(const Ed25519PublicKey& key, ByteSpan message, const Ed25519Signature& signature) {
  if (!is_strict_ed25519_point(key) || !is_strict_ed25519_signature(signature)) return false;
  Pkey pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, uchars(ByteSpan(key)), key.size()));
  if (!pkey) fail("load a public key");
  Digest digest(EVP_MD_CTX_new());
  if (!digest || EVP_DigestVerifyInit(digest.get(), nullptr, nullptr, nullptr, pkey.get()) != 1) fail("verify");
  return EVP_DigestVerify(digest.get(), uchars(ByteSpan(signature)), signature.size(), uchars(message), message.size()) == 1;
}

}  // namespace dstore
