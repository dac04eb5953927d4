#include "delta/stats.h"

#include <bit>
#include <cmath>
#include <limits>

#include "catch.h"
#include "delta/bits.h"
#include "tensor_pairs.h"

using namespace dstore;

namespace {

Bytes f32_bytes(std::initializer_list<float> values) {
  Writer out;
  for (float value : values) out.u32(std::bit_cast<std::uint32_t>(value));
  return out.take();
}

}  // namespace

TEST_CASE("Every half and bfloat16 value converts to float and back") {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float f = float_from_f16(half);
    if (std::isnan(f)) {
      CHECK(std::isnan(float_from_f16(f16_from_float(f))));
    } else if (f16_from_float(f) != half) {
      FAIL("f16 " << bits);
    }
    const float b = float_from_bf16(half);
    if (std::isnan(b)) {
      CHECK(std::isnan(float_from_bf16(bf16_from_float(b))));
    } else if (bf16_from_float(b) != half) {
      FAIL("bf16 " << bits);
    }
  }
}

TEST_CASE("Known half values") {
  CHECK(float_from_f16(0x3c00) == 1.0f);
  CHECK(float_from_f16(0xc000) == -2.0f);
  CHECK(float_from_f16(0x7bff) == 65504.0f);
  CHECK(float_from_f16(0x0001) == 0x1p-24f);
  CHECK(float_from_f16(0x0400) == 0x1p-14f);
  CHECK(std::signbit(float_from_f16(0x8000)));
  CHECK(f16_from_float(65519.0f) == 0x7bff);
  CHECK(f16_from_float(65520.0f) == 0x7c00);
  CHECK(f16_from_float(0x1p-25f) == 0x0000);           // a tie goes to even
  CHECK(f16_from_float(0x1.000002p-25f) == 0x0001);
  CHECK(f16_from_float(1.0f + 0x1p-11f) == 0x3c00);
  CHECK(f16_from_float(1.0f + 3 * 0x1p-11f) == 0x3c02);
  CHECK(bf16_from_float(1.0f + 0x1p-8f) == 0x3f80);
  CHECK(bf16_from_float(1.0f + 3 * 0x1p-8f) == 0x3f82);
}

TEST_CASE("Numbers of a difference") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Bytes base = f32_bytes({1, 2, 3, 0.0f, nan, 5});
  const Bytes task = f32_bytes({1, 4, 2.5f, -0.0f, 1, 5});
  const DifferenceStats stats = difference_stats(DType::f32, base, task);
  CHECK(stats.units == 6);
  CHECK(stats.changed == 4);
  CHECK(stats.non_finite == 1);
  CHECK(stats.numeric);
  CHECK(stats.l1 == 2.5);
  CHECK(stats.sum_of_squares == 4.25);
  CHECK(stats.max_abs == 2);
  CHECK(stats.base_sum_of_squares == 1 + 4 + 9 + 25);
  CHECK(stats.density() == Approx(4.0 / 6));
  DifferenceStats twice = stats;
  twice += stats;
  CHECK(twice.l2() == Approx(std::sqrt(8.5)));
  const DifferenceStats opaque = difference_stats(DType::u8, base, task);
  CHECK_FALSE(opaque.numeric);
  CHECK(difference_stats(DType::f32, {}, {}).density() == 0);
}

TEST_CASE("The two ways to count changed elements agree for every dtype") {
  std::uint64_t seed = 0;
  for (DType dtype : testing::all_dtypes()) {
    const testing::TensorPair pair = testing::make_pair(dtype, 5001, 0.1, testing::Change::special, ++seed);
    CHECK(difference_stats(dtype, pair.base, pair.task).changed == count_changed(dtype, pair.base, pair.task));
    CHECK(count_changed(dtype, pair.base, pair.task) == 500);
  }
}
