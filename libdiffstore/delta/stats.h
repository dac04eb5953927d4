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

/// What changed between two tensors of one dtype and size. Counts are in units (delta/element.h). The norms are those
/// of task - base in double, over units where both are finite; `numeric` says whether the dtype has them.
struct DifferenceStats {
  std::uint64_t units = 0;
  std::uint64_t changed = 0;
  std::uint64_t non_finite = 0;  ///< changed units where a side is NaN or infinite
  bool numeric = false;
  double l1 = 0;
  double sum_of_squares = 0;
  double max_abs = 0;
  double base_sum_of_squares = 0;  ///< of the finite base values, changed or not

  double density() const { return units == 0 ? 0 : static_cast<double>(changed) / static_cast<double>(units); }
  double l2() const;
  /// Adds the numbers of another range or tensor.
  DifferenceStats& operator+=(const DifferenceStats& other);
};

DifferenceStats difference_stats(DType dtype, ByteSpan base, ByteSpan task);

}  // namespace dstore
