#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "dstore/tensor.h"

namespace dstore {

enum class DTypeKind : std::uint8_t { boolean, unsigned_integer, signed_integer, floating, complex_floating };

/// Which bit patterns of a floating dtype are not numbers.
enum class FloatSpecials : std::uint8_t {
  none,      ///< every pattern is a number (F4, F6), or it is no floating dtype
  ieee,      ///< largest exponent: infinities and NaN
  nan_only,  ///< all exponent and mantissa bits set is NaN, no infinity (F8_E4M3, F8_E8M0)
  fnuz,      ///< the pattern of -0 is NaN, no infinity, one zero
};

/// The facts about one dtype. For complex dtypes the float layout is that of one component, and bits counts both.
struct DTypeInfo {
  DType dtype;
  std::string_view name;     ///< as in a safetensors header
  std::uint8_t bits;         ///< per element
  std::uint8_t write_order;  ///< safetensors writers put higher ones first (wide dtypes first: aligned data)
  DTypeKind kind;
  std::uint8_t sign_bits = 0;
  std::uint8_t exponent_bits = 0;
  std::uint8_t mantissa_bits = 0;  ///< stored ones
  std::int16_t exponent_bias = 0;
  FloatSpecials specials = FloatSpecials::none;

  constexpr bool is_float() const { return kind == DTypeKind::floating; }
  /// Bytes of one element; 0 for dtypes narrower than a byte.
  constexpr std::uint64_t bytes() const { return bits / 8; }
};

/// Every dtype, in the order of DType's numbers (which start at 1).
std::span<const DTypeInfo> dtype_table();

const DTypeInfo& dtype_info(DType dtype);
/// "F32" → f32; nullopt for names this build does not know.
std::optional<DType> dtype_from_name(std::string_view name);
/// The number stored in tensor objects.
std::optional<DType> dtype_from_code(std::uint8_t code);

/// Product of the dimensions; 1 for a scalar, 0 as soon as one dimension is 0.
/// Error{corrupt} naming `what` where the product (taken from the left, as safetensors does) leaves 64 bits.
std::uint64_t element_count(std::span<const std::uint64_t> shape, std::string_view what);
/// Bytes of a tensor. Error{corrupt} naming `what` on overflow, or if a narrow dtype does not fill whole bytes.
std::uint64_t tensor_bytes(DType dtype, std::span<const std::uint64_t> shape, std::string_view what);

}  // namespace dstore
