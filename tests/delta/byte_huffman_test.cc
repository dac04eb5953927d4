#include "delta/byte_huffman.h"

#include <string>

#include "catch.h"
#include "dstore/id.h"
#include "tensor_pairs.h"

using namespace dstore;
using dstore::testing::Random;

namespace {

Bytes coded(ByteSpan bytes) {
  const ByteEncoder encoder(bytes);
  Bytes out(3, std::byte{0x55});  // appended, not overwritten
  encoder.append_to(out);
  REQUIRE(out.size() == 3 + encoder.size());
  REQUIRE(out[2] == std::byte{0x55});
  out.erase(out.begin(), out.begin() + 3);
  return out;
}

void expect_round_trip(ByteSpan bytes) {
  Bytes back(bytes.size(), std::byte{0xcc});
  CHECK(std::string(decode_bytes(coded(bytes), back)) == "");
  CHECK(std::equal(back.begin(), back.end(), bytes.begin()));
}

/// Bytes that decline in frequency: each `skew` times as likely as the next.
Bytes skewed(std::size_t count, double skew, std::uint64_t seed) {
  Random random(seed);
  Bytes out(count);
  for (std::byte& each : out) {
    unsigned value = 0;
    while (value < 255 && random.uniform() < 1 / skew) ++value;
    each = static_cast<std::byte>(value * 37);
  }
  return out;
}

Bytes random_bytes(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  Bytes out(count);
  for (std::byte& each : out) each = static_cast<std::byte>(random.next());
  return out;
}

struct Sample {
  const char* name;
  Bytes bytes;
};

std::vector<Sample> small_samples() {
  return {{"one byte", Bytes(1, std::byte{7})},      {"one value", Bytes(100, std::byte{0})},
          {"two bytes", {std::byte{0}, std::byte{255}}}, {"five bytes", random_bytes(5, 1)},
          {"skewed", skewed(400, 2.0, 2)},           {"flat", random_bytes(300, 3)},
          {"mostly zero", skewed(900, 30.0, 4)}};
}

}  // namespace

TEST_CASE("The worked example of spec/byte_code.md") {
  const unsigned char expected[] = {0x61, 0x72, 0x31, 0x33, 0, 0, 0, 0, 0, 0, 0x30, 1, 0, 1, 0, 1, 0, 0x72, 0x0a, 0x13, 0x07};
  const Bytes out = coded(as_bytes("abracadabra"));
  CHECK(as_text(out) == std::string_view(reinterpret_cast<const char*>(expected), sizeof expected));
  CHECK(as_text(coded(as_bytes("aaaa"))) == "aa");
}

TEST_CASE("The byte code gives the same bytes back, whatever they are") {
  for (const Sample& sample : small_samples()) {
    INFO(sample.name);
    expect_round_trip(sample.bytes);
  }
  for (std::size_t size = 1; size < 200; ++size) expect_round_trip(skewed(size, 2.0, size));
  for (std::size_t size : {65535u, 65536u, 65537u, 200000u, 1000003u}) {
    INFO(size);
    expect_round_trip(skewed(size, 1.6, size));
    expect_round_trip(random_bytes(size, size));
    expect_round_trip(skewed(size, 1000.0, size));
  }
}

TEST_CASE("Streams of very different length decode") {
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    Bytes bytes(40000, std::byte{1});
    const Bytes noise = random_bytes(10000, quarter);
    std::copy(noise.begin(), noise.end(), bytes.begin() + static_cast<std::ptrdiff_t>(quarter * 10000));
    expect_round_trip(bytes);
  }
}

TEST_CASE("The byte code is close to the entropy") {
  const Bytes bytes = skewed(1 << 20, 2.0, 9);  // 2 bits a byte
  CHECK(ByteEncoder(bytes).size() < bytes.size() / 4 * 1.01);
  CHECK(ByteEncoder(Bytes(1 << 20, std::byte{3})).size() == 2);
  const Bytes flat = random_bytes(1 << 20, 9);
  CHECK(ByteEncoder(flat).size() < flat.size() * 1.001);
}

TEST_CASE("The byte code keeps its bytes") {
  Bytes bytes;
  for (unsigned i = 0; i < 100000; ++i) bytes.push_back(static_cast<std::byte>((i * 2654435761u >> 9) % 97 % (1 + i % 61)));
  CHECK(object_id(ObjectKind::chunk, coded(bytes)).hex() == "8447b59c463691677bff2adfb7dc72683986fbddd30759e3da903550749788cd");
}

TEST_CASE("A cut, longer or flipped byte code is refused or harmless") {
  for (const Sample& sample : small_samples()) {
    INFO(sample.name);
    const Bytes whole = coded(sample.bytes);
    Bytes back(sample.bytes.size());
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      REQUIRE(!decode_bytes(cut, back).empty());
    }
    Bytes longer = whole;
    longer.push_back(std::byte{0});
    REQUIRE(!decode_bytes(longer, back).empty());
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (unsigned pattern : {0x01u, 0x10u, 0x80u, 0xffu, 0x55u}) {
        Bytes damaged = whole;
        damaged[at] ^= static_cast<std::byte>(pattern);
        static_cast<void>(decode_bytes(damaged, back));  // whatever it gives: other bytes, or a refusal
      }
    }
    Bytes more(70000);
    if (whole.size() > 2) REQUIRE(!decode_bytes(whole, more).empty());
  }
}

TEST_CASE("Long damaged byte codes stay within their bounds") {
  Random random(5);
  const Bytes bytes = skewed(20000, 1.7, 11);
  const Bytes whole = coded(bytes);
  Bytes back(bytes.size());
  for (unsigned round = 0; round < 2000; ++round) {
    Bytes damaged = whole;
    const std::size_t changes = 1 + random.below(4);
    for (std::size_t i = 0; i < changes; ++i) damaged[random.below(damaged.size())] = static_cast<std::byte>(random.next());
    if (random.below(4) == 0) damaged.resize(random.below(damaged.size()));
    static_cast<void>(decode_bytes(damaged, back));
  }
}
