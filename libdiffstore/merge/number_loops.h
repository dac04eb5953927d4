#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/philox.h"
#include "dstore/tensor.h"

namespace dstore {

/// How the divisor of a sum of weighted differences is taken (spec/merging.md, "Methods"), and what comes after.
template <class Value>
struct LastSteps {
  bool normalize = false;
  Value lambda = 1;
};

/// Inner loops over the numbers of one dtype, `count` of them: r() rounds to the dtype, every other operation to Value (spec/merging.md,
/// "Arithmetic"). Value is float for f16, bf16, f32 and c64, which it holds exactly, and double for f64. Arrays do not overlap.
template <class Value>
struct NumberLoops {
  void (*read)(const std::byte* bits, std::size_t count, Value* out);
  /// r(value); a NaN becomes the dtype's positive quiet one without payload.
  void (*write)(const Value* values, std::size_t count, std::byte* bits);
  /// Puts the base's bits where no model has others.
  void (*keep_unchanged)(const std::byte* base, std::span<const std::byte* const> models, std::size_t count, std::byte* bits);
  bool (*any_nan)(const Value* values, std::size_t count);
  /// r(x - base); 0 where both are NaN or the same infinity.
  void (*subtract)(const Value* x, const Value* base, std::size_t count, Value* differences);
  /// r(value * factor)
  void (*scale)(Value* values, Value factor, std::size_t count);
  void (*add)(const Value* values, std::size_t count, Value* sums);
  void (*add_signs)(const Value* values, std::size_t count, Value* sums);
  /// Sums of votes become the signs that are elected, 1 or -1: `tie` where r(votes) is 0, -1 where they are not a number.
  void (*elect)(Value* votes, Value tie, std::size_t count);
  /// Adds the values whose voters (which may be the values) have the sign, and `share` to the divisors for each.
  void (*add_elected)(const Value* values, const Value* voters, const Value* signs, Value share, std::size_t count, Value* sums, Value* divisors);
  /// Of the same, the largest magnitude, the first of equals, in place of a smaller sum.
  void (*take_largest)(const Value* values, const Value* voters, const Value* signs, std::size_t count, Value* sums);
  /// base + lambda * r(r(sum) / r(divisor)), in place of the sums; divisors of 0 count as 1. `divisors` may be null: not divided.
  void (*finish)(const Value* base, const Value* divisors, const LastSteps<Value>& steps, std::size_t count, Value* sums);
  /// fma(x, weight, sum)
  void (*fuse)(const Value* x, Value weight, std::size_t count, Value* sums);
  /// r(sum / divisor)
  void (*divide)(Value* sums, Value divisor, std::size_t count);
  /// Sets to 0 what is not in least <= |value| <= most, magnitudes as bits.
  void (*keep_band)(Value* values, std::uint64_t least, std::uint64_t most, std::size_t count);
  /// Sets elements from `first` (a multiple of 4) on to 0 but where their Philox word's uniform_float() is below `density`.
  void (*drop)(Value* values, std::uint64_t first, PhiloxKey key, float density, std::size_t count);
};

/// The loops of one kind of processor, by dtype.
struct NumberLoopSet {
  std::string_view name;
  bool (*runs_here)();
  NumberLoops<float> f16, bf16, f32;
  NumberLoops<double> f64;
};

/// All sets of this build, the plainest first: all give the same results.
std::span<const NumberLoopSet* const> all_number_loops();

/// The fastest that run here. float: f16, bf16, f32 and c64; double: f64.
template <class Value>
const NumberLoops<Value>& number_loops(DType dtype);

extern const NumberLoopSet kPlainNumberLoops;
extern const NumberLoopSet kAvx2NumberLoops;

}  // namespace dstore
