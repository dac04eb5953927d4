#include "trainer/model/float_cast.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace dstore {
namespace {

template <typename T>
T load(std::span<const std::byte> raw, std::size_t i) {
  T value;
  std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
  return value;
}

float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = std::uint32_t{h & 0x8000u} << 16;
  const std::uint32_t exponent = (h >> 10) & 31u, mantissa = h & 0x3FFu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | mantissa << 13);
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

std::uint16_t float_to_half(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint16_t sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return sign | 0x7E00u;
  if (magnitude >= 0x477FF000u) return sign | 0x7C00u;  // 65520 and above round to infinity
  if (magnitude < 0x38800000u) {                         // below 2^-14: subnormal, in units of 2^-24
    return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24f)));
  }
  const std::uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

std::uint16_t float_to_bfloat(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

/// Replaces the elements whose fp32 form differs.
template <typename T, typename Cast>
std::size_t store_as(std::span<const float> values, std::span<const float> before, std::span<std::byte> raw, Cast cast) {
  std::size_t changed = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(values[i]) == std::bit_cast<std::uint32_t>(before[i])) continue;
    const T element = cast(values[i]);
    changed += std::memcmp(raw.data() + i * sizeof(T), &element, sizeof(T)) != 0;
    std::memcpy(raw.data() + i * sizeof(T), &element, sizeof(T));
  }
  return changed;
}

}  // namespace

void to_float(DType dtype, std::span<const std::byte> raw, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    switch (dtype) {
      case DType::f64: out[i] = static_cast<float>(load<double>(raw, i)); break;
      case DType::bf16: out[i] = std::bit_cast<float>(std::uint32_t{load<std::uint16_t>(raw, i)} << 16); break;
      case DType::f16: out[i] = half_to_float(load<std::uint16_t>(raw, i)); break;
      default: out[i] = load<float>(raw, i);
    }
  }
}

std::size_t store_changed(DType dtype, std::span<const float> values, std::span<const float> before, std::span<std::byte> raw) {
  switch (dtype) {
    case DType::f64: return store_as<double>(values, before, raw, [](float v) { return static_cast<double>(v); });
    case DType::bf16: return store_as<std::uint16_t>(values, before, raw, float_to_bfloat);
    case DType::f16: return store_as<std::uint16_t>(values, before, raw, float_to_half);
    default: return store_as<float>(values, before, raw, [](float v) { return v; });
  }
}

void round_to(DType dtype, std::span<float> values) {
  if (dtype == DType::bf16) {
    for (float& value : values) value = std::bit_cast<float>(std::uint32_t{float_to_bfloat(value)} << 16);
  }
  if (dtype == DType::f16) {
    for (float& value : values) value = half_to_float(float_to_half(value));
  }
}

}  // namespace dstore
