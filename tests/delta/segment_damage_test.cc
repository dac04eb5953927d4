#include <bit>
#include <functional>

#include "catch.h"
#include "delta/bits.h"
#include "delta/segment.h"
#include "dstore/error.h"
#include "tensor_pairs.h"

using namespace dstore;
using namespace dstore::testing;

namespace {

TensorPair rare_in_rows() {
  TensorPair pair = make_pair(DType::f16, 30000, 0, Change::ulps, 8);
  for (std::size_t i = 0; i < 30000; i += i % 5000 < 300 ? 11 : 1) {
    if (i % 5000 < 300) pair.task[2 * i] ^= std::byte{5};
  }
  return pair;
}

TensorPair constant_pair() {
  TensorPair pair = make_pair(DType::f32, 500, 0, Change::fine_tune, 9);
  for (std::size_t i = 0; i < 500; i += 3) std::fill_n(&pair.task[4 * i], 4, std::byte{0});
  return pair;
}

TensorPair addend_pair() {
  TensorPair pair = make_pair(DType::f64, 200, 0, Change::fine_tune, 10);
  for (std::size_t i = 0; i < 200; ++i) {
    const double value = std::bit_cast<double>(load_le<std::uint64_t>(&pair.base[8 * i]));
    store_le(&pair.task[8 * i], std::bit_cast<std::uint64_t>(value + 0.25 * static_cast<double>(i % 7)));
  }
  return pair;
}

/// Small tensors whose segments use every code of positions and of values.
std::vector<TensorPair> small_pairs() {
  return {
      make_pair(DType::f32, 300, 0.02, Change::fine_tune, 1),     // rice, packed
      make_pair(DType::bf16, 3000, 0.3, Change::fine_tune, 2),    // context, one stream
      make_pair(DType::f16, 200, 1.0, Change::random_bits, 3),    // all, raw
      make_pair(DType::f64, 2, 0.5, Change::special, 4),
      make_pair(DType::u8, 5000, 1.0, Change::ulps, 5),           // all, four streams
      make_pair(DType::bf16, 4000, 0.2, Change::ulps, 7),         // byte-coded bitmap
      rare_in_rows(),                                             // Rice in groups
      constant_pair(),
      addend_pair(),
  };
}

TensorPair grouped_pair() {
  TensorPair pair = make_pair(DType::bf16, 1500, 0, Change::ulps, 6);
  for (std::size_t i = 640 * 2; i < 768 * 2; i += 2) pair.task[i] ^= std::byte{3};
  return pair;
}

/// Damaged bytes must give Error{corrupt|unsupported} and an untouched target, or the right task.
void expect_error_or_task(const TensorPair& pair, ByteSpan segment, bool& accepted) {
  Bytes target = pair.base;
  try {
    const SegmentReader reader(segment, "damaged");
    for (std::size_t i = 0; i < reader.pieces().size(); ++i) {
      REQUIRE(reader.pieces()[i].count <= piece_units(reader.pieces()[i].dtype));
      if (unit_type(reader.pieces()[i].dtype).bytes != unit_type(pair.dtype).bytes) return;
      reader.apply(i, 0, target);
    }
    accepted = true;
  } catch (const Error& error) {
    // invalid_argument: the damage made the piece larger than the target, so that the range cuts a block.
    const ErrorCode code = error.code();
    REQUIRE((code == ErrorCode::corrupt || code == ErrorCode::unsupported || code == ErrorCode::invalid_argument));
    REQUIRE(target == pair.base);
  }
}

}  // namespace

TEST_CASE("A segment cut off anywhere is refused") {
  std::vector<TensorPair> pairs = small_pairs();
  pairs.push_back(grouped_pair());
  for (const TensorPair& pair : pairs) {
    const Bytes segment = encode_pair(pair);
    for (std::size_t size = 0; size < segment.size(); ++size) {
      const Bytes cut(segment.begin(), segment.begin() + static_cast<std::ptrdiff_t>(size));
      REQUIRE_THROWS_AS(SegmentReader(cut, "cut"), Error);
      Bytes sealed = cut;
      reseal(sealed);
      bool accepted = false;
      expect_error_or_task(pair, sealed, accepted);
      REQUIRE_FALSE(accepted);
    }
    Bytes longer = segment;
    longer.push_back(std::byte{0});
    REQUIRE_THROWS_AS(SegmentReader(longer, "long"), Error);
    reseal(longer);
    REQUIRE_THROWS_AS(SegmentReader(longer, "long"), Error);
  }
}

TEST_CASE("A flipped byte is noticed by the segment's checksum") {
  for (const TensorPair& pair : small_pairs()) {
    const Bytes segment = encode_pair(pair);
    for (std::size_t at = 0; at < segment.size(); ++at) {
      for (unsigned pattern : {0x01u, 0x80u, 0xffu, 0x55u}) {
        Bytes damaged = segment;
        damaged[at] ^= static_cast<std::byte>(pattern);
        REQUIRE_THROWS_AS(SegmentReader(damaged, "flipped"), Error);
      }
    }
  }
}

TEST_CASE("A flipped byte under a forged checksum never crashes and never half-writes a block") {
  std::vector<TensorPair> pairs = small_pairs();
  pairs.push_back(grouped_pair());
  for (const TensorPair& pair : pairs) {
    const Bytes segment = encode_pair(pair);
    for (std::size_t at = 0; at + 8 < segment.size(); ++at) {
      for (unsigned pattern : {0x01u, 0x80u, 0xffu, 0x55u}) {
        Bytes damaged = segment;
        damaged[at] ^= static_cast<std::byte>(pattern);
        reseal(damaged);
        bool accepted = false;
        expect_error_or_task(pair, damaged, accepted);
      }
    }
  }
}

TEST_CASE("Random bytes behind a valid header are refused or harmless") {
  Random random(77);
  const TensorPair pair = make_pair(DType::f32, 3000, 0.5, Change::fine_tune, 8);
  const Bytes segment = encode_pair(pair);
  for (unsigned round = 0; round < 3000; ++round) {
    Bytes damaged = segment;
    const std::size_t from = 12 + random.below(damaged.size() - 20);
    const std::size_t length = 1 + random.below(16);
    for (std::size_t i = from; i < std::min(from + length, damaged.size()); ++i) damaged[i] = static_cast<std::byte>(random.next());
    reseal(damaged);
    bool accepted = false;
    expect_error_or_task(pair, damaged, accepted);
  }
}

TEST_CASE("A segment of another version is unsupported, of another kind corrupt") {
  Bytes segment = encode_pair(small_pairs()[0]);
  segment[4] = std::byte{4};
  try {
    SegmentReader(segment, "newer");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::unsupported);
  }
  segment[0] = std::byte{0};
  try {
    SegmentReader(segment, "other");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::corrupt);
  }
}
