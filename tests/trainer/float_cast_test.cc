#include "trainer/model/float_cast.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "catch.h"

using namespace dstore;

namespace {

template <typename T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  std::vector<std::byte> raw(values.size() * sizeof(T));
  std::memcpy(raw.data(), values.data(), raw.size());
  return raw;
}

std::uint16_t stored(DType dtype, float value) {
  std::vector<std::byte> raw(2);
  const float other = value == 1.0f ? 2.0f : 1.0f;
  store_changed(dtype, std::vector<float>{value}, std::vector<float>{other}, raw);
  std::uint16_t half;
  std::memcpy(&half, raw.data(), 2);
  return half;
}

}  // namespace

TEST_CASE("every half and bfloat value survives the way to fp32 and back") {
  for (const DType dtype : {DType::f16, DType::bf16}) {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
      float value;
      to_float(dtype, bytes_of(std::vector<std::uint16_t>{static_cast<std::uint16_t>(bits)}), {&value, 1});
      if (std::isnan(value)) continue;
      REQUIRE(stored(dtype, value) == bits);
    }
  }
}

TEST_CASE("rounding is to nearest even") {
  CHECK(stored(DType::bf16, 1.0f + 0x1p-8f) == 0x3F80);
  CHECK(stored(DType::bf16, 1.0f + 3 * 0x1p-8f) == 0x3F82);
  CHECK(stored(DType::f16, 1.0f + 0x1p-11f) == 0x3C00);
  CHECK(stored(DType::f16, 1.0f + 3 * 0x1p-11f) == 0x3C02);
  CHECK(stored(DType::f16, 65519.0f) == 0x7BFF);
  CHECK(stored(DType::f16, 65520.0f) == 0x7C00);
  CHECK(stored(DType::f16, 0x1p-25f) == 0x0000);
  CHECK(stored(DType::f16, 0x1.8p-24f) == 0x0002);
}

TEST_CASE("what did not change keeps its bytes, whatever they are") {
  const std::vector<double> base = {0.1, 1.0, 2.0};  // 0.1 is not an fp32 number
  auto raw = bytes_of(base);
  std::vector<float> before(3);
  to_float(DType::f64, raw, before);
  std::vector<float> after = before;
  after[2] = 3;
  CHECK(store_changed(DType::f64, after, before, raw) == 1);
  CHECK(raw == bytes_of(std::vector<double>{0.1, 1.0, 3.0}));
}

TEST_CASE("a change that rounds away is not counted") {
  auto raw = bytes_of(std::vector<std::uint16_t>{0x3F80});  // bf16 1.0
  CHECK(store_changed(DType::bf16, std::vector<float>{1.0001f}, std::vector<float>{1.0f}, raw) == 0);
}
