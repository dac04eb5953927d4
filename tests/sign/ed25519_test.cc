#include "sign/ed25519.h"

#include <openssl/bn.h>
#include <openssl/evp.h>

#include <memory>
#include <set>

#include "catch.h"
#include "sign/fixtures.h"

using namespace dstore;
using namespace dstore::test;

namespace {

// Just enough of the curve, in plain affine arithmetic, to work out what the table in ed25519.cc states.
struct Number {
  std::shared_ptr<BIGNUM> value{BN_new(), BN_free};
  Number(unsigned long word = 0) { BN_set_word(value.get(), word); }
  static Number decimal(const char* digits) {
    Number out;
    BIGNUM* raw = out.value.get();
    BN_dec2bn(&raw, digits);
    return out;
  }
  static Number little_endian(ByteSpan bytes) {
    Number out;
    BN_lebin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), out.value.get());
    return out;
  }
  std::array<std::byte, 32> bytes() const {
    std::array<std::byte, 32> out{};
    BN_bn2lebinpad(value.get(), reinterpret_cast<unsigned char*>(out.data()), 32);
    return out;
  }
  bool operator==(const Number& other) const { return BN_cmp(value.get(), other.value.get()) == 0; }
  BIGNUM* get() const { return value.get(); }
};

struct Curve {
  struct Point {
    Number x, y;
    bool operator==(const Point&) const = default;
  };

  Number prime = Number::decimal("57896044618658097711785492504343953926634992332820282019728792003956564819949");
  Number order = Number::decimal("7237005577332262213973186563042994240857116359379907606001950938285454250989");
  std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)> context{BN_CTX_new(), BN_CTX_free};
  Number d = mul(sub(Number(0), Number(121665)), inverse(Number(121666)));

  Number add(const Number& a, const Number& b) const { return with([&](BIGNUM* r) { BN_mod_add(r, a.get(), b.get(), prime.get(), context.get()); }); }
  Number sub(const Number& a, const Number& b) const { return with([&](BIGNUM* r) { BN_mod_sub(r, a.get(), b.get(), prime.get(), context.get()); }); }
  Number mul(const Number& a, const Number& b) const { return with([&](BIGNUM* r) { BN_mod_mul(r, a.get(), b.get(), prime.get(), context.get()); }); }
  Number inverse(const Number& a) const { return with([&](BIGNUM* r) { BN_mod_inverse(r, a.get(), prime.get(), context.get()); }); }

  Point sum(const Point& p, const Point& q) const {
    Number product = mul(mul(d, mul(p.x, q.x)), mul(p.y, q.y));
    Number x = mul(add(mul(p.x, q.y), mul(q.x, p.y)), inverse(add(Number(1), product)));
    Number y = mul(add(mul(p.y, q.y), mul(p.x, q.x)), inverse(sub(Number(1), product)));
    return {x, y};
  }
  Point times(const Number& scalar, const Point& p) const {
    Point out{Number(0), Number(1)};
    for (int i = BN_num_bits(scalar.get()) - 1; i >= 0; --i) {
      out = sum(out, out);
      if (BN_is_bit_set(scalar.get(), i)) out = sum(out, p);
    }
    return out;
  }
  // The point with this y and some x, if there is one: x^2 = (y^2 - 1) / (d y^2 + 1).
  std::optional<Point> at(const Number& y) const {
    Number square = mul(y, y);
    Number x_square = mul(sub(square, Number(1)), inverse(add(mul(d, square), Number(1))));
    Number x = with([&](BIGNUM* r) {
      if (!BN_mod_sqrt(r, x_square.get(), prime.get(), context.get())) BN_set_word(r, 0);
    });
    if (!(mul(x, x) == x_square)) return std::nullopt;
    return Point{x, y};
  }

 private:
  template <typename Operation>
  Number with(Operation operation) const {
    Number out;
    operation(out.get());
    return out;
  }
};

using Encoding = std::array<std::byte, 32>;

Encoding encode(const Number& y, bool sign) {
  Encoding out = y.bytes();
  if (sign) out[31] |= std::byte{0x80};
  return out;
}

bool openssl_verifies(const Ed25519PublicKey& key, ByteSpan message, const Ed25519Signature& signature) {
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pkey(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(key.data()), 32), EVP_PKEY_free);
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return pkey && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) == 1 &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), 64,
                          reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
}

Bytes sha512(ByteSpan bytes) {
  Bytes out(64);
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr, EVP_sha512(), nullptr);
  return out;
}

Ed25519Signature join(ByteSpan r, ByteSpan s) {
  Ed25519Signature out;
  std::copy(r.begin(), r.end(), out.begin());
  std::copy(s.begin(), s.end(), out.begin() + 32);
  return out;
}

}  // namespace

TEST_CASE("Ed25519 gives the vectors of RFC 8032, section 7.1") {
  struct Vector {
    const char *seed, *key, *message, *signature;
  };
  const Vector vectors[] = {
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e"
       "7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612"
       "bb0c00"},
      {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
       "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
       "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027becee"
       "a1ec40a"},
      {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
       "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
       "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa5"
       "4ca49f",
       "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef11773"
       "31a704"},
  };
  for (const Vector& vector : vectors) {
    Ed25519Seed seed(array_from_hex<32>(vector.seed));
    Bytes message = from_hex(vector.message);
    Ed25519PublicKey key = ed25519_public_key(seed);
    Ed25519Signature signature = ed25519_sign(seed, message);
    CHECK(key == array_from_hex<32>(vector.key));
    CHECK(signature == array_from_hex<64>(vector.signature));
    CHECK(ed25519_verify(key, message, signature));
    message.push_back(std::byte{0});
    CHECK_FALSE(ed25519_verify(key, message, signature));
  }
}

TEST_CASE("the points of small order are exactly those the curve has, in every encoding") {
  const Curve curve;
  // L times a point leaves its part of small order; one of order 8 gives all eight.
  std::optional<Curve::Point> generator;
  const Curve::Point neutral{Number(0), Number(1)};
  for (unsigned long y = 2; !generator; ++y) {
    REQUIRE(y < 100);
    std::optional<Curve::Point> point = curve.at(Number(y));
    if (!point) continue;
    Curve::Point torsion = curve.times(curve.order, *point);
    if (!(curve.times(Number(4), torsion) == neutral)) generator = torsion;
  }
  std::set<Encoding> weak_y;
  Curve::Point point = neutral;
  for (int i = 0; i < 8; ++i, point = curve.sum(point, *generator)) weak_y.insert(point.y.bytes());
  CHECK(point == neutral);
  CHECK(weak_y.size() == 5);
  for (const Encoding& y : weak_y)
    for (bool sign : {false, true}) CHECK_FALSE(is_strict_ed25519_point(encode(Number::little_endian(y), sign)));
  // p + k for k = 0..18 are the second encodings of y = k.
  for (unsigned long k = 0; k < 19; ++k) {
    Number y;
    BN_add(y.get(), curve.prime.get(), Number(k).get());
    for (bool sign : {false, true}) {
      CHECK_FALSE(is_strict_ed25519_point(encode(y, sign)));
      CHECK(is_strict_ed25519_point(encode(Number(k), sign)) == (k > 1));
    }
  }
}

TEST_CASE("keys that are in use are strict") {
  for (unsigned i = 0; i < 100; ++i) {
    PrivateKey key = test_key(i);
    CHECK(is_strict_ed25519_point(key.public_key().point));
    CHECK(is_strict_ed25519_point(std::span<const std::byte, 64>(key.sign(as_bytes("m"))).first<32>()));
  }
}

TEST_CASE("a signature of zero scalar under a key of small order fits no message") {
  Ed25519PublicKey identity{};
  identity[0] = std::byte{1};
  Ed25519Signature forged = join(identity, Encoding{});
  for (const char* message : {"", "pay", "anything"}) CHECK_FALSE(ed25519_verify(identity, as_bytes(message), forged));
}

TEST_CASE("S is refused when it is not below the group order") {
  const Curve curve;
  PrivateKey key = test_key(20);
  Ed25519Signature good = key.sign(as_bytes("m"));
  REQUIRE(ed25519_verify(key.public_key().point, as_bytes("m"), good));
  Number s = Number::little_endian(std::span(good).last(32));
  for (int times = 1; times <= 8; ++times) {
    BN_add(s.get(), s.get(), curve.order.get());
    CHECK_FALSE(ed25519_verify(key.public_key().point, as_bytes("m"), join(std::span(good).first(32), s.bytes())));
  }
}

TEST_CASE("a signature whose R has small order is refused, also from the key's owner") {
  const Curve curve;
  PrivateKey key = test_key(21);
  Bytes seed = random_bytes(32, 21);
  Bytes scalar_bytes = sha512(seed);
  scalar_bytes.resize(32);
  scalar_bytes[0] &= std::byte{0xf8};
  scalar_bytes[31] = (scalar_bytes[31] & std::byte{0x7f}) | std::byte{0x40};
  Encoding r{};
  r[0] = std::byte{1};
  Bytes input(r.begin(), r.end());
  input.insert(input.end(), key.public_key().point.begin(), key.public_key().point.end());
  input.push_back(static_cast<std::byte>('m'));
  Number s;
  BN_mod_mul(s.get(), Number::little_endian(sha512(input)).get(), Number::little_endian(scalar_bytes).get(), curve.order.get(),
             curve.context.get());
  Ed25519Signature signature = join(r, s.bytes());
  CHECK(openssl_verifies(key.public_key().point, as_bytes("m"), signature));  // the equation holds
  CHECK_FALSE(ed25519_verify(key.public_key().point, as_bytes("m"), signature));
}
