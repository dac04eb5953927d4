#include "delta/segment.h"

#include "base/parallel.h"
#include "catch.h"
#include "delta/residual.h"
#include "dstore/error.h"
#include "tensor_pairs.h"

using namespace dstore;
using namespace dstore::testing;

namespace {

void check_round_trip(const TensorPair& pair, Profile profile) {
  const std::uint64_t changed = count_changed(pair.dtype, pair.base, pair.task);
  const Bytes segment = encode_pair(pair, profile);
  if (changed == 0) {
    REQUIRE(segment.empty());
    return;
  }
  REQUIRE(apply_pair(pair, segment) == pair.task);
  REQUIRE(encode_pair(pair, profile) == segment);
  const SegmentReader reader(segment, "test segment");
  std::uint64_t counted = 0;
  for (const PieceInfo& piece : reader.pieces()) counted += piece.changed;
  REQUIRE(counted == changed);
}

void check_round_trip(const TensorPair& pair) {
  for (const Profile profile : {Profile::compact, Profile::fast}) check_round_trip(pair, profile);
}

}  // namespace

TEST_CASE("Every dtype, density, size and kind of change comes back bit for bit") {
  std::uint64_t seed = 1;
  for (DType dtype : all_dtypes()) {
    for (std::uint64_t units : {1u, 2u, 127u, 128u, 129u, 5000u}) {
      for (double density : {0.0, 1e-9, 0.0001, 0.005, 0.05, 0.5, 1.0}) {
        for (Change change : kChanges) {
          INFO("dtype " << static_cast<int>(dtype) << " units " << units << " density " << density << " change "
                        << static_cast<int>(change));
          check_round_trip(make_pair(dtype, units, density, change, ++seed));
        }
      }
    }
  }
}

TEST_CASE("Sizes around a block come back bit for bit") {
  std::uint64_t seed = 1000;
  for (DType dtype : {DType::u8, DType::bf16, DType::f32, DType::f64}) {
    for (std::uint64_t units : {(1u << 18) - 1, 1u << 18, (1u << 18) + 1, (1u << 20) + 3}) {
      for (double density : {1e-9, 0.0001, 0.005, 0.05, 0.5, 1.0}) {
        const Change change = kChanges[++seed % 4];
        INFO("dtype " << static_cast<int>(dtype) << " units " << units << " density " << density << " change " << static_cast<int>(change));
        check_round_trip(make_pair(dtype, units, density, change, seed));
      }
    }
  }
}

TEST_CASE("A tensor of several pieces comes back bit for bit") {
  check_round_trip(make_pair(DType::f32, piece_units(DType::f32) * 2 + 5, 0.002, Change::fine_tune, 7));
  check_round_trip(make_pair(DType::f64, piece_units(DType::f64) + 1, 0.001, Change::ulps, 8));
}

TEST_CASE("Residuals are a bijection for every pair of 8-bit values and for special floats") {
  for (DType dtype : all_dtypes()) {
    const UnitType& unit = unit_type(dtype);
    with_unit(unit.bytes, [&]<class U>(U) {
      const ResidualMap<U> map(unit);
      Random random(5);
      for (unsigned i = 0; i < 65536; ++i) {
        const U a = sizeof(U) == 1 ? static_cast<U>(i >> 8) : static_cast<U>(random.next());
        const U b = sizeof(U) == 1 ? static_cast<U>(i) : static_cast<U>(random.next());
        REQUIRE(map.apply(a, map.residual(a, b)) == b);
        REQUIRE((map.residual(a, b) == 0) == (a == b));
      }
    });
  }
  const ResidualMap<std::uint32_t> f32(unit_type(DType::f32));
  CHECK(f32.residual(0x00000000u, 0x80000000u) == 1);  // +0 to -0 is one step down
  CHECK(f32.residual(0x3f800000u, 0x3f800001u) == 2);
  CHECK(f32.residual(0xbf800000u, 0xbf800001u) == 1);
}

TEST_CASE("Changes lists what apply would do") {
  for (double density : {0.01, 0.7}) {
    const TensorPair pair = make_pair(DType::bf16, 300000, density, Change::fine_tune, 11);
    const Bytes segment = encode_pair(pair);
    const Changes changes = SegmentReader(segment, "test segment").changes(0, 0, pair.base);
    REQUIRE(changes.positions.size() == count_changed(pair.dtype, pair.base, pair.task));
    Bytes rebuilt = pair.base;
    for (std::size_t i = 0; i < changes.positions.size(); ++i) {
      for (unsigned b = 0; b < 2; ++b) {
        std::byte& at = rebuilt[changes.positions[i] * 2 + b];
        REQUIRE(at == changes.old_values[2 * i + b]);
        at = changes.new_values[2 * i + b];
      }
    }
    REQUIRE(rebuilt == pair.task);
  }
}

TEST_CASE("A piece encodes to the same bytes on any number of threads") {
  const TensorPair pair = make_pair(DType::f32, 400000, 0.3, Change::fine_tune, 12);
  std::vector<Bytes> results(4);
  parallel_for(results.size(), 2, [&](std::size_t i) { results[i] = encode_piece(pair.dtype, 0, pair.base, pair.task).bytes; });
  for (const Bytes& result : results) CHECK(result == results[0]);
}

TEST_CASE("A wrong base is noticed before a byte of the block changes") {
  for (double density : {0.001, 0.6}) {
    const TensorPair pair = make_pair(DType::f32, 100000, density, Change::fine_tune, 13);
    const Bytes segment = encode_pair(pair);
    const SegmentReader reader(segment, "segment 0123");
    Bytes wrong = pair.base;
    const std::uint64_t position = reader.changes(0, 0, pair.base).positions[17];
    wrong[position * 4] ^= std::byte{1};
    Bytes target = wrong;
    try {
      reader.apply(0, 0, target, "bert.weight");
      FAIL("a wrong base was accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::corrupt);
      CHECK(std::string(error.what()).find("segment 0123: tensor bert.weight: elements 0 to ") == 0);
      CHECK(std::string(error.what()).find("base values differ") != std::string::npos);
    }
    CHECK(target == wrong);
  }
}

TEST_CASE("Ranges that cut a block, and pieces off the grid, are refused") {
  const TensorPair pair = make_pair(DType::f32, 600000, 0.1, Change::ulps, 14);
  const Bytes segment = encode_pair(pair);
  const SegmentReader reader(segment, "test segment");
  Bytes target = pair.base;
  REQUIRE(reader.pieces()[0].block == 1u << 18);
  CHECK_THROWS_AS(reader.apply(0, 0, MutableByteSpan(target).first(400)), Error);
  CHECK_THROWS_AS(reader.apply(0, 100, MutableByteSpan(target).subspan(400)), Error);
  CHECK_THROWS_AS(reader.apply(1, 0, target), Error);
  CHECK(target == pair.base);
  reader.apply(0, 600000, MutableByteSpan(target).first(4));  // beyond the piece: nothing to do
  CHECK(target == pair.base);
  reader.apply(0, 1u << 18, MutableByteSpan(target).subspan(4u << 18, 4u << 18));
  CHECK(std::equal(target.begin() + (4 << 18), target.begin() + (8 << 18), pair.task.begin() + (4 << 18)));
  CHECK(std::equal(target.begin(), target.begin() + (4 << 18), pair.base.begin()));
  CHECK_THROWS_AS(encode_piece(DType::f32, 1, pair.base, pair.task), Error);
  CHECK_THROWS_AS(encode_piece(DType::f32, 0, ByteSpan(), ByteSpan()), Error);
  CHECK_THROWS_AS(encode_piece(DType::f32, 0, ByteSpan(pair.base).first(6), ByteSpan(pair.task).first(6)), Error);
  CHECK_THROWS_AS(SegmentWriter().finish(), Error);
}

TEST_CASE("A segment holds many pieces and starts a new one before it is too large") {
  SegmentWriter writer;
  std::vector<TensorPair> pairs;
  for (unsigned i = 0; i < 40; ++i) {
    pairs.push_back(make_pair(all_dtypes()[i % all_dtypes().size()], 1 + i * 37, 0.1, Change::ulps, i));
    CHECK(writer.add(encode_piece(pairs.back().dtype, 0, pairs.back().base, pairs.back().task)) == i);
  }
  const Bytes segment = writer.finish();
  const SegmentReader reader(segment, "test segment");
  REQUIRE(reader.pieces().size() == 40);
  for (unsigned i = 0; i < 40; ++i) {
    Bytes target = pairs[i].base;
    reader.apply(i, 0, target);
    CHECK(target == pairs[i].task);
  }
  EncodedPiece large{Bytes(9u << 20), 1};
  CHECK(writer.fits(large));
  writer.add(large);
  CHECK_FALSE(writer.fits(large));
  CHECK_THROWS_AS(writer.add(large), Error);
}
