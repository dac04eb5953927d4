#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// How the delta layer sees a dtype: a row of units of 1, 2, 4 or 8 bytes, little-endian (spec/segment.md, "Units").
/// A unit is one element, except: f6/f4 and the other packed dtypes are rows of bytes, and a c64 is two f32 units.
/// Every "element" count and position in this layer is in units.
struct UnitType {
  DType dtype;
  std::uint8_t bytes;          ///< 1, 2, 4 or 8
  std::uint8_t exponent_bits;  ///< 0: an integer or opaque bytes, compared as two's complement
  std::uint8_t mantissa_bits;
};

/// nullptr for a dtype outside the table (a code from a file).
const UnitType* find_unit_type(DType dtype);
/// Error{unsupported} for a dtype outside the table.
const UnitType& unit_type(DType dtype);

/// Units of `bytes` bytes of that dtype.
inline std::uint64_t unit_count(DType dtype, std::uint64_t bytes) { return bytes / unit_type(dtype).bytes; }

}  // namespace dstore
