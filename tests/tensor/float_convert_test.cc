#include "tensor/float_convert.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "catch.h"
#include "tensor/dtype.h"

namespace dstore::test {
namespace {

std::uint64_t convert(DType from, std::uint64_t bits, DType to) {
  Bytes in(dtype_info(from).bytes()), out(dtype_info(to).bytes());
  std::memcpy(in.data(), &bits, in.size());
  convert_floats(from, in, to, out);
  std::uint64_t result = 0;
  std::memcpy(&result, out.data(), out.size());
  return result;
}

TEST_CASE("zeros, infinities, NaN and the edges of each format are converted as the page says") {
  struct Row {
    DType from;
    std::uint64_t bits;
    DType to;
    std::uint64_t result;
  };
  using enum DType;
  const Row rows[] = {
      {f32, 0x00000000, bf16, 0x0000},     {f32, 0x80000000, f16, 0x8000},      {f32, 0x7f800000, f16, 0x7c00},
      {f32, 0xff800000, bf16, 0xff80},     {f32, 0x7fc00000, bf16, 0x7fc0},     {f32, 0xffc12345, bf16, 0xffc0},
      {f32, 0x7f800001, f16, 0x7e00},      {f16, 0xfc01, f32, 0xffc00000},      {bf16, 0x7fff, f64, 0x7ff8000000000000},
      {f32, 0x3f808000, bf16, 0x3f80},     {f32, 0x3f818000, bf16, 0x3f82},     {f32, 0x3f808001, bf16, 0x3f81},  // halves go to even
      {f32, 0x3fff8000, bf16, 0x4000},     {f32, 0x7f7fffff, bf16, 0x7f80},     {f32, 0x7f7f7fff, bf16, 0x7f7f},
      {f32, 0x477fefff, f16, 0x7bff},      {f32, 0x477ff000, f16, 0x7c00},      {f32, 0xc77ff000, f16, 0xfc00},   // 65520 overflows
      {f32, 0x33000000, f16, 0x0000},      {f32, 0x33000001, f16, 0x0001},      {f32, 0x33c00000, f16, 0x0002},   // 2^-25, just above, 1.5 * 2^-24
      {f32, 0x00000001, f16, 0x0000},      {f32, 0x387fe000, f16, 0x0400},      {f32, 0x387fc000, f16, 0x03ff},
      {f32, 0x00000001, bf16, 0x0000},     {f32, 0x00008000, bf16, 0x0000},     {f32, 0x00008001, bf16, 0x0001},
      {f16, 0x0001, f32, 0x33800000},      {f16, 0x83ff, f32, 0xb87fc000},      {bf16, 0x0001, f32, 0x00010000},
      {f32, 0x00000001, f64, 0x36a0000000000000}, {f64, 0x36a0000000000000, f32, 0x00000001}, {f64, 0x3690000000000000, f32, 0x00000000},
      {f64, 0x3690000000000001, f32, 0x00000001}, {f64, 0x0000000000000001, bf16, 0x0000},    {f64, 0x7fefffffffffffff, f16, 0x7c00},
      {f64, 0x47efffffe0000000, f32, 0x7f7fffff}, {f64, 0x47effffff0000000, f32, 0x7f800000}, {bf16, 0x0001, f16, 0x0000},
  };
  for (const Row& row : rows) {
    INFO(dtype_info(row.from).name << " " << std::hex << row.bits << " to " << dtype_info(row.to).name);
    CHECK(convert(row.from, row.bits, row.to) == row.result);
  }
}

TEST_CASE("f64 to f32 and back is what the processor does") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200000; ++i) {
    std::uint64_t bits = random();
    if (i % 2 == 0) bits = (bits & 0x800fffffffffffff) | (std::uint64_t{0x36a} - 30 + random() % 400) << 52;  // near the range of f32
    const double wide = std::bit_cast<double>(bits);
    if (std::isnan(wide)) continue;
    const float narrow = static_cast<float>(wide);
    if (convert(DType::f64, bits, DType::f32) != std::bit_cast<std::uint32_t>(narrow)) FAIL("f64 " << std::hex << bits);
    if (convert(DType::f32, std::bit_cast<std::uint32_t>(narrow), DType::f64) != std::bit_cast<std::uint64_t>(static_cast<double>(narrow))) {
      FAIL("f32 of f64 " << std::hex << bits);
    }
  }
}

TEST_CASE("a narrow number survives the way through a wider format") {
  for (const DType narrow : {DType::f16, DType::bf16}) {
    for (const DType wide : {DType::f32, DType::f64}) {
      for (std::uint64_t bits = 0; bits < 0x10000; ++bits) {
        const std::uint64_t exponent = narrow == DType::f16 ? 0x7c00 : 0x7f80;
        const bool is_nan = (bits & exponent) == exponent && (bits & 0x7fff) != exponent;
        if (!is_nan && convert(wide, convert(narrow, bits, wide), narrow) != bits) FAIL(dtype_info(narrow).name << " " << bits);
      }
    }
  }
}

}  // namespace
}  // namespace dstore::test
