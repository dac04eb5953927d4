#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// Exact: every half and bfloat16 value is a float.
float float_from_f16(std::uint16_t bits);
float float_from_bf16(std::uint16_t bits);
/// To nearest, ties to even; a NaN stays a NaN (quiet, top payload bits kept).
std::uint16_t f16_from_float(float value);
std::uint16_t bf16_from_float(float value);

/// Whether this library calculates with values of the dtype: f16, bf16, f32, f64 (complex numbers are pairs of f32).
bool is_numeric(DType dtype);
/// The units of `bytes` (delta/element.h), exactly; `out` has room for each. Error{unsupported} unless is_numeric().
void read_doubles(DType dtype, ByteSpan bytes, std::span<double> out);
/// The reverse, rounded to nearest, ties to even (a value of the dtype is written exactly).
void write_doubles(DType dtype, std::span<const double> values, MutableByteSpan out);

}  // namespace dstore
