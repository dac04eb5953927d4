#include "delta/stats.h"

#include <cmath>

#include "catch.h"

using namespace dstore;

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
