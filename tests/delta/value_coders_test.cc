#include "delta/value_coders.h"

#include <bit>
#include <cmath>

#include "catch.h"
#include "delta/bits.h"
#include "delta/layout.h"
#include "delta/stats.h"
#include "dstore/error.h"
#include "tensor_pairs.h"

using namespace dstore;
using namespace dstore::testing;

namespace {

const BlockPlace kPlace{"test", "t", 0, 1};

/// Task = base + what the addend type can say, in the tensor's arithmetic.
template <class Float, class U>
TensorPair sums(DType dtype, std::size_t count, float (*narrow)(float)) {
  Random random(count);
  TensorPair pair{dtype, Bytes(count * sizeof(U)), Bytes(count * sizeof(U))};
  for (std::size_t i = 0; i < count; ++i) {
    const auto old_value = static_cast<Float>(0.05 * random.gaussian());
    const Float new_value = old_value + static_cast<Float>(narrow(static_cast<float>(1e-3 * random.gaussian())));
    store_le(&pair.base[i * sizeof(U)], std::bit_cast<U>(old_value));
    store_le(&pair.task[i * sizeof(U)], std::bit_cast<U>(new_value));
  }
  return pair;
}
float to_bf16(float value) { return float_from_bf16(bf16_from_float(value)); }
float to_f16(float value) { return float_from_f16(f16_from_float(value)); }
float itself(float value) { return value; }

unsigned width_of(const TensorPair& pair) { return 8u * unit_type(pair.dtype).bytes; }

/// Every coder without a model that takes the values gives them back; returns how many did.
unsigned check_all(const TensorPair& pair) {
  const UnitType& unit = unit_type(pair.dtype);
  unsigned took = 0;
  for (const ValueCoder* row : value_coders()) {
    if (row->uses_model || !(row->writes(unit, Profile::compact) || row->writes(unit, Profile::fast))) continue;
    Bytes coded, again(pair.base.size());
    std::uint8_t parameter = 0;
    if (!row->encode({unit, pair.base, pair.task, width_of(pair)}, nullptr, UINT64_MAX, parameter, coded)) continue;
    INFO(row->name << " dtype " << static_cast<int>(pair.dtype));
    ++took;
    REQUIRE(row->accepts(unit, parameter));
    row->decode(coded, parameter, unit, nullptr, pair.base, again, kPlace);
    REQUIRE(again == pair.task);
    Bytes ignored;
    REQUIRE_FALSE(row->encode({unit, pair.base, pair.task, width_of(pair)}, nullptr, coded.size(), parameter, ignored));
    for (std::size_t size = 0; size < coded.size(); size += 1 + coded.size() / 40) {
      try {
        row->decode(ByteSpan(coded).first(size), parameter, unit, nullptr, pair.base, again, kPlace);
        FAIL("cut values were accepted");
      } catch (const Error& error) {
        REQUIRE(error.code() == ErrorCode::corrupt);
      }
    }
  }
  return took;
}

const ValueCoder& chosen(const TensorPair& pair, Profile profile = Profile::compact) {
  const Bytes segment = encode_pair(pair, profile);
  constexpr std::size_t kPiece = segment_layout::kHeaderBytes;
  REQUIRE(segment[kPiece + segment_layout::kTableCountOffset] == std::byte{0});
  const std::size_t coder = kPiece + segment_layout::kPieceHeaderBytes + 4 + 2;
  REQUIRE(apply_pair(pair, segment) == pair.task);
  return *find_value_coder(std::to_integer<std::uint8_t>(segment[coder]));
}

}  // namespace

TEST_CASE("Every coder gives back what it takes, whatever the dtype, and refuses cut values") {
  std::uint64_t seed = 1;
  for (DType dtype : all_dtypes()) {
    for (std::uint64_t units : {1u, 2u, 300u, 3000u}) {
      for (Change change : kChanges) CHECK(check_all(make_pair(dtype, units, 1.0, change, ++seed)) >= 3);
    }
  }
}

TEST_CASE("One new value for all is stored once") {
  for (DType dtype : {DType::u8, DType::bf16, DType::f32, DType::f64}) {
    TensorPair pair = make_pair(dtype, 5000, 0.1, Change::fine_tune, 3);
    const unsigned unit = unit_type(dtype).bytes;
    for (std::size_t at = 0; at < pair.base.size(); at += unit) {
      if (std::equal(&pair.base[at], &pair.base[at] + unit, &pair.task[at])) continue;
      std::fill_n(&pair.task[at], unit, std::byte{0});
    }
    CHECK(chosen(pair).name == "constant");
  }
}

TEST_CASE("Sums with a narrow addend are stored as the addend, in the narrowest type that gives every bit") {
  CHECK(chosen(sums<float, std::uint32_t>(DType::f32, 4000, to_bf16)).name == "addend");
  CHECK(chosen(sums<float, std::uint32_t>(DType::f32, 4000, to_f16)).name == "addend");
  CHECK(chosen(sums<double, std::uint64_t>(DType::f64, 4000, itself)).name == "addend");
  CHECK(check_all(sums<float, std::uint32_t>(DType::f32, 500, to_bf16)) == 4);
}

TEST_CASE("A sum that is not a number is neither written nor read") {
  const UnitType& unit = unit_type(DType::f32);
  const float infinity = INFINITY;
  Bytes base(4), task(4), coded;
  store_le(base.data(), std::bit_cast<std::uint32_t>(infinity));
  store_le(task.data(), std::bit_cast<std::uint32_t>(NAN));
  std::uint8_t parameter = 0;
  CHECK_FALSE(kAddendCoder.encode({unit, base, task, 32}, nullptr, UINT64_MAX, parameter, coded));
  Bytes minus_infinity(8 + 2);  // sizes 1 and 1, then bf16 -infinity
  minus_infinity[0] = minus_infinity[4] = std::byte{1};
  minus_infinity[8] = std::byte{0x80};
  minus_infinity[9] = std::byte{0xff};
  CHECK_THROWS_AS(kAddendCoder.decode(minus_infinity, 1, unit, nullptr, base, task, kPlace), Error);
}

TEST_CASE("The fast profile codes planes, and integers that repeat are planes in both") {
  CHECK(chosen(make_pair(DType::f32, 20000, 1.0, Change::fine_tune, 5), Profile::fast).name == "planes");
  TensorPair pair = make_pair(DType::i64, 20000, 1.0, Change::ulps, 6);
  for (std::size_t i = 0; i < 20000; ++i) store_le<std::uint64_t>(&pair.task[8 * i], load_le<std::uint64_t>(&pair.base[8 * i]) + 1000 + i / 100);
  CHECK(chosen(pair, Profile::fast).name == "planes");
}
