#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// What changed between two tensors of one dtype and size. Counts are in units (delta/element.h).
///
/// `numeric` dtypes are those of is_numeric(): their norms are those of task - base in double, over units where both are
/// finite. The distance in ulps of two units is how many steps lie between them in the order of the dtype's values: floats
/// that are finite on both sides (-0 and +0 are one step apart, and a change of sign counts the steps through zero), and
/// integers. Booleans and the 8-bit and narrower floats are only counted.
struct DifferenceStats {
  static constexpr std::size_t kBuckets = 64;

  std::uint64_t units = 0;
  std::uint64_t changed = 0;
  std::uint64_t non_finite = 0;    ///< changed units where a side is NaN or infinite
  std::uint64_t sign_changes = 0;  ///< changed units from below zero to above it, or back
  bool numeric = false;
  double l1 = 0;
  double sum_of_squares = 0;
  double max_abs = 0;
  std::array<std::uint64_t, kBuckets> ulps{};  ///< [i]: changed units whose distance is in [2^i, 2^(i+1))

  double density() const { return units == 0 ? 0 : static_cast<double>(changed) / static_cast<double>(units); }
  double l2() const;
  /// Adds the numbers of another range or tensor.
  DifferenceStats& operator+=(const DifferenceStats& other);
};

DifferenceStats difference_stats(DType dtype, ByteSpan base, ByteSpan task);

/// Adds changed units given side by side, unit by unit (as in Changes); `units` is left alone.
void add_changes(DType dtype, ByteSpan old_values, ByteSpan new_values, DifferenceStats& stats);

/// task - base of units given side by side; 0 where one is not finite and where the dtype is not numeric.
void differences(DType dtype, ByteSpan old_values, ByteSpan new_values, std::span<double> out);

/// The distance in ulps of two units; 0 where there is none: equal bits, a side that is not finite, a dtype without order.
std::uint64_t ulp_distance(DType dtype, ByteSpan before, ByteSpan after);

}  // namespace dstore
