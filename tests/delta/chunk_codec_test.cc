#include "delta/chunk_codec.h"

#include "catch.h"
#include "delta/element.h"
#include "dstore/error.h"
#include "dstore/id.h"
#include "tensor_pairs.h"

using namespace dstore;
using namespace dstore::testing;

namespace {

Bytes decoded(ByteSpan stored, std::size_t size) {
  Bytes out(size, std::byte{0xcc});
  decode_chunk(stored, out, "test");
  return out;
}

/// Never larger, and the same bytes back. Returns the stored size.
std::size_t expect_round_trip(ChunkLayout layout, const Bytes& raw) {
  const Bytes stored = encode_chunk(layout, raw);
  if (stored.empty()) return raw.size();
  CHECK(stored.size() < raw.size());
  CHECK(decoded(stored, raw.size()) == raw);
  return stored.size();
}

Bytes weights(DType dtype, std::uint64_t units, std::uint64_t seed) { return make_pair(dtype, units, 0, Change::fine_tune, seed).base; }

Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Bytes out(size);
  for (std::byte& each : out) each = static_cast<std::byte>(random.next());
  return out;
}

constexpr ChunkLayout kLayouts[] = {{1, false}, {2, false}, {2, true}, {4, false}, {4, true}, {8, false}, {8, true}};

}  // namespace

TEST_CASE("The worked example of spec/planes.md") {
  const unsigned char example[] = {2, 1, 14, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 0, 1, 0, 0x7e, 0x7f, 0x80, 7};
  const unsigned char chunk[] = {0, 0x3f, 0x80, 0xbf, 0, 0x40, 7};
  const Bytes out = decoded(std::as_bytes(std::span(example)), sizeof chunk);
  CHECK(std::equal(out.begin(), out.end(), reinterpret_cast<const std::byte*>(chunk)));
}

TEST_CASE("Planes give every dtype back, whatever its values, and are never larger") {
  for (const DType dtype : all_dtypes()) {
    for (const Change change : kChanges) {
      for (const std::uint64_t units : {1u, 63u, 64u, 65u, 5000u, 140000u}) {
        INFO("dtype " << static_cast<int>(dtype) << ", change " << static_cast<int>(change) << ", units " << units);
        expect_round_trip(chunk_layout(dtype), make_pair(dtype, units, 0, change, units).base);
      }
    }
  }
}

TEST_CASE("Planes take chunks of any size in any layout") {
  const Bytes like_f32 = weights(DType::f32, chunk_code::kMaxInput / 4, 3);
  for (const ChunkLayout layout : kLayouts) {
    using chunk_code::kBlock;
    for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{9}, std::size_t{1021}, kBlock - 1, kBlock, kBlock + 3,
                                   chunk_code::kMaxInput}) {
      INFO("unit " << layout.unit << ", rotated " << layout.rotated << ", size " << size);
      const auto end = static_cast<std::ptrdiff_t>(size);
      expect_round_trip(layout, Bytes(like_f32.begin(), like_f32.begin() + end));
      expect_round_trip(layout, Bytes(size, std::byte{0x3c}));
      CHECK(encode_chunk(layout, random_bytes(size, size)).empty());
    }
  }
}

TEST_CASE("Weights and small integers become smaller, constants nearly nothing") {
  struct Row {
    DType dtype;
    double at_most;  ///< of the raw size
  };
  for (const Row row : {Row{DType::bf16, 0.68}, Row{DType::f16, 0.87}, Row{DType::f32, 0.84}, Row{DType::f64, 0.95}, Row{DType::i64, 0.24}}) {
    INFO("dtype " << static_cast<int>(row.dtype));
    const Bytes raw = weights(row.dtype, 300000, 5);
    CHECK(static_cast<double>(expect_round_trip(chunk_layout(row.dtype), raw)) < row.at_most * static_cast<double>(raw.size()));
  }
  CHECK(expect_round_trip({4, true}, Bytes(chunk_code::kMaxInput)) < 250);
}

TEST_CASE("Planes keep their bytes") {
  Bytes raw;
  for (std::uint32_t i = 0; i < 700001; ++i) raw.push_back(static_cast<std::byte>(i % 4 == 3 ? 0x38 + i / 4 % 13 % 7 : (i * 2654435761u) >> 24));
  CHECK(object_id(ObjectKind::chunk, encode_chunk({4, true}, raw)).hex() == "39ab78ef831491c66c8479bef7db7ca4695beaae8edd40a7b1770a02ce02edac");
  CHECK(object_id(ObjectKind::chunk, encode_chunk({2, false}, raw)).hex() == "db5e4e9feaba6a1da3f2d55c7803187b772dc04ce01e484dea01f782caabab41");
}

TEST_CASE("Damaged planes are refused or harmless") {
  const Bytes samples[] = {weights(DType::bf16, 301, 1), weights(DType::f32, 200, 2), Bytes(99, std::byte{1})};
  const ChunkLayout layouts[] = {{2, true}, {4, true}, {8, false}};
  for (std::size_t i = 0; i < std::size(samples); ++i) {
    const Bytes stored = encode_chunk(layouts[i], samples[i]);
    REQUIRE(!stored.empty());
    Bytes out(samples[i].size());
    for (std::size_t size = 0; size < stored.size(); ++size) CHECK_THROWS_AS(decode_chunk(ByteSpan(stored).first(size), out, "cut"), Error);
    Bytes longer = stored;
    longer.push_back(std::byte{0});
    CHECK_THROWS_AS(decode_chunk(longer, out, "long"), Error);
    for (std::size_t at = 0; at < stored.size(); ++at) {
      for (unsigned pattern : {0x01u, 0x02u, 0x80u, 0xffu}) {
        Bytes damaged = stored;
        damaged[at] ^= static_cast<std::byte>(pattern);
        try {
          decode_chunk(damaged, out, "flipped");
        } catch (const Error& error) {
          REQUIRE(error.code() == ErrorCode::corrupt);
        }
      }
    }
    for (const std::size_t size : {std::size_t{1}, chunk_code::kMaxInput}) {
      Bytes other(size);
      CHECK_THROWS_AS(decode_chunk(stored, other, "other size"), Error);
    }
  }
}
