#pragma once

#include <bit>
#include <concepts>
#include <cstdint>

#include "delta/bits.h"
#include "delta/element.h"
#include "delta/layout.h"

namespace dstore {

/// Calls body(U{}) with the unsigned integer of the unit's width.
template <class Body>
decltype(auto) with_unit(unsigned unit_bytes, Body&& body) {
  switch (unit_bytes) {
    case 1: return body(std::uint8_t{});
    case 2: return body(std::uint16_t{});
    case 4: return body(std::uint32_t{});
    default: return body(std::uint64_t{});
  }
}

/// The bits of a float as an integer that grows with its value: NaNs at both ends, -0 just below +0.
template <std::unsigned_integral U>
U float_order(U bits) {
  constexpr unsigned kTop = 8 * sizeof(U) - 1;
  return static_cast<U>(bits ^ static_cast<U>(static_cast<U>(U{0} - static_cast<U>(bits >> kTop)) | static_cast<U>(U{1} << kTop)));
}

/// The order-preserving integer difference of spec/segment.md, "Residuals", for units of type U.
/// A bijection for every pair of bit patterns: new == apply(old, residual(old, new)); 0 means equal.
template <std::unsigned_integral U>
class ResidualMap {
 public:
  explicit ResidualMap(const UnitType& unit)
      : exponent_shift_(unit.mantissa_bits), exponent_mask_((1u << unit.exponent_bits) - 1), is_float_(unit.exponent_bits != 0) {}

  unsigned exponent(U value) const {
    return static_cast<unsigned>(static_cast<std::uint64_t>(value) >> exponent_shift_) & exponent_mask_;
  }
  U residual(U from, U to) const {
    const U difference = static_cast<U>(ordered(to) - ordered(from));
    return static_cast<U>(static_cast<U>(difference << 1) ^ static_cast<U>(U{0} - static_cast<U>(difference >> kTop)));
  }
  U apply(U from, U residual) const {
    const U difference = static_cast<U>(static_cast<U>(residual >> 1) ^ static_cast<U>(U{0} - static_cast<U>(residual & 1)));
    return unordered(static_cast<U>(ordered(from) + difference));
  }

 private:
  static constexpr unsigned kTop = 8 * sizeof(U) - 1;
  static constexpr U kSign = static_cast<U>(U{1} << kTop);

  U ordered(U bits) const { return is_float_ ? float_order(bits) : bits; }
  U unordered(U value) const {
    if (!is_float_) return value;
    return static_cast<U>(value ^ static_cast<U>(static_cast<U>(static_cast<U>(value >> kTop) - U{1}) | kSign));
  }

  unsigned exponent_shift_;
  unsigned exponent_mask_;
  bool is_float_;
};

// The choice between direct and longer tokens is as good as random, so it is made with masks, not branches.

/// All ones if `condition`, else 0.
inline std::uint64_t mask_if(bool condition) { return std::uint64_t{0} - static_cast<std::uint64_t>(condition); }

/// Token of a residual; the `extra_bits(token)` low bits of the residual follow it raw.
inline unsigned token_of(std::uint64_t residual) {
  const std::uint64_t direct = mask_if(residual < segment_layout::kDirectTokens);
  const std::uint64_t longer = segment_layout::kTokenBias + static_cast<unsigned>(std::bit_width(residual));
  return static_cast<unsigned>((residual & direct) | (longer & ~direct));
}
inline unsigned extra_bits(unsigned token) {
  const std::uint64_t direct = mask_if(token < segment_layout::kDirectTokens);
  return static_cast<unsigned>((token - segment_layout::kTokenBias - 1) & ~direct);
}
/// The residual of a token with those extra bits.
inline std::uint64_t residual_of(unsigned token, unsigned extra, std::uint64_t low) {
  const std::uint64_t direct = mask_if(token < segment_layout::kDirectTokens);
  return (token & direct) | (((std::uint64_t{1} << extra) | low) & ~direct);
}

}  // namespace dstore
