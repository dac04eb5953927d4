#include "tensor/float_convert.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dstore/error.h"

namespace dstore {
namespace {

template <typename Word, int Exponent, int Mantissa>
struct Format {
  using Bits = Word;
  static constexpr int kMantissa = Mantissa;
  static constexpr int kBias = (1 << (Exponent - 1)) - 1;
  static constexpr std::uint64_t kMaxExponent = (1u << Exponent) - 1;
  static constexpr std::uint64_t kMantissaMask = (std::uint64_t{1} << Mantissa) - 1;
  static constexpr std::uint64_t kInfinity = kMaxExponent << Mantissa;
  static constexpr std::uint64_t kQuietNan = kInfinity | std::uint64_t{1} << (Mantissa - 1);
};
using F64 = Format<std::uint64_t, 11, 52>;
using F32 = Format<std::uint32_t, 8, 23>;
using F16 = Format<std::uint16_t, 5, 10>;
using BF16 = Format<std::uint16_t, 8, 7>;

/// `value` / 2^drop, to nearest, ties to even; drop >= 1.
std::uint64_t shift_to_nearest(std::uint64_t value, int drop) {
  if (drop > 64) return 0;
  const std::uint64_t kept = drop == 64 ? 0 : value >> drop;
  const std::uint64_t rest = value << (64 - drop);
  constexpr std::uint64_t kHalf = std::uint64_t{1} << 63;
  return kept + (rest > kHalf || (rest == kHalf && (kept & 1) != 0) ? 1 : 0);
}

template <typename From, typename To>
std::uint64_t convert_magnitude(std::uint64_t exponent, std::uint64_t mantissa) {
  if (exponent == From::kMaxExponent) return mantissa == 0 ? To::kInfinity : To::kQuietNan;
  if (exponent == 0 && mantissa == 0) return 0;
  // The number is 1.xxx * 2^power; `leading` holds 1.xxx with the one in its top bit.
  std::uint64_t leading;
  int power;
  if (exponent == 0) {
    const int zeros = std::countl_zero(mantissa);
    leading = mantissa << zeros;
    power = 1 - From::kBias - From::kMantissa + 63 - zeros;
  } else {
    leading = (mantissa | std::uint64_t{1} << From::kMantissa) << (63 - From::kMantissa);
    power = static_cast<int>(exponent) - From::kBias;
  }
  const int biased = power + To::kBias;
  constexpr int kDrop = 63 - To::kMantissa;
  // The leading one counts as one step of the exponent, and so does a mantissa that rounds up to the next power of two.
  const std::uint64_t bits = biased > 0 ? (static_cast<std::uint64_t>(biased - 1) << To::kMantissa) + shift_to_nearest(leading, kDrop)
                                        : shift_to_nearest(leading, kDrop + 1 - biased);
  return std::min(bits, To::kInfinity);
}

template <typename From, typename To>
void convert_all(ByteSpan in, MutableByteSpan out) {
  constexpr int kFromSign = 8 * sizeof(typename From::Bits) - 1;
  constexpr int kToSign = 8 * sizeof(typename To::Bits) - 1;
  const std::size_t count = in.size() / sizeof(typename From::Bits);
  for (std::size_t i = 0; i < count; ++i) {
    typename From::Bits from;
    std::memcpy(&from, in.data() + i * sizeof from, sizeof from);
    const std::uint64_t bits = from;
    const std::uint64_t magnitude = convert_magnitude<From, To>(bits >> From::kMantissa & From::kMaxExponent, bits & From::kMantissaMask);
    const auto to = static_cast<typename To::Bits>((bits >> kFromSign) << kToSign | magnitude);
    std::memcpy(out.data() + i * sizeof to, &to, sizeof to);
  }
}

struct ConversionRow {
  DType from;
  DType to;
  void (*convert)(ByteSpan, MutableByteSpan);
};

constexpr ConversionRow kConversions[] = {
    {DType::f64, DType::f32, convert_all<F64, F32>},   {DType::f64, DType::f16, convert_all<F64, F16>},
    {DType::f64, DType::bf16, convert_all<F64, BF16>}, {DType::f32, DType::f64, convert_all<F32, F64>},
    {DType::f32, DType::f16, convert_all<F32, F16>},   {DType::f32, DType::bf16, convert_all<F32, BF16>},
    {DType::f16, DType::f64, convert_all<F16, F64>},   {DType::f16, DType::f32, convert_all<F16, F32>},
    {DType::f16, DType::bf16, convert_all<F16, BF16>}, {DType::bf16, DType::f64, convert_all<BF16, F64>},
    {DType::bf16, DType::f32, convert_all<BF16, F32>}, {DType::bf16, DType::f16, convert_all<BF16, F16>},
};

}  // namespace

bool is_convertible_float(DType dtype) {
  return std::any_of(std::begin(kConversions), std::end(kConversions), [&](const ConversionRow& row) { return row.from == dtype; });
}

void convert_floats(DType from, ByteSpan in, DType to, MutableByteSpan out) {
  if (from == to) {
    std::copy(in.begin(), in.end(), out.begin());
    return;
  }
  for (const ConversionRow& row : kConversions) {
    if (row.from == from && row.to == to) return row.convert(in, out);
  }
  throw Error(ErrorCode::invalid_argument, "these two dtypes are not converted into each other");
}

}  // namespace dstore
