#include "delta/difference.h"

#include <bit>
#include <cmath>
#include <type_traits>

#include "delta/bits.h"
#include "delta/residual.h"
#include "delta/stats.h"
#include "dstore/error.h"

namespace dstore {
namespace {

// How the units of a dtype are looked at: their width, their value if they are numbers, their place in the dtype's order.

template <class U, double (*kValue)(U)>
struct FloatUnit {
  using Word = U;
  static constexpr bool kNumeric = true, kOrdered = true;
  static double value(U bits) { return kValue(bits); }
  static U order(U bits) { return float_order(bits); }
};

template <class U, bool kSigned>
struct IntegerUnit {
  using Word = U;
  static constexpr bool kNumeric = false, kOrdered = true;
  static U order(U bits) { return kSigned ? static_cast<U>(bits ^ static_cast<U>(U{1} << (8 * sizeof(U) - 1))) : bits; }
};

struct OpaqueUnit {
  using Word = std::uint8_t;
  static constexpr bool kNumeric = false, kOrdered = false;
};

double f16_value(std::uint16_t bits) { return float_from_f16(bits); }
double bf16_value(std::uint16_t bits) { return float_from_bf16(bits); }
double f32_value(std::uint32_t bits) { return std::bit_cast<float>(bits); }
double f64_value(std::uint64_t bits) { return std::bit_cast<double>(bits); }

template <class Unit>
std::uint64_t distance(typename Unit::Word before, typename Unit::Word after) {
  if constexpr (Unit::kNumeric) {
    if (!std::isfinite(Unit::value(before)) || !std::isfinite(Unit::value(after))) return 0;
  }
  if constexpr (Unit::kOrdered) {
    const auto x = Unit::order(before), y = Unit::order(after);
    return x < y ? y - x : x - y;
  }
  return 0;
}

template <class Unit>
void add_change(typename Unit::Word before, typename Unit::Word after, DifferenceStats& stats) {
  ++stats.changed;
  if constexpr (Unit::kNumeric) {
    const double x = Unit::value(before), y = Unit::value(after);
    if (!std::isfinite(x) || !std::isfinite(y)) {
      ++stats.non_finite;
      return;
    }
    const double size = std::abs(y - x);
    stats.sign_changes += (x < 0 && y > 0) || (x > 0 && y < 0);
    stats.l1 += size;
    stats.sum_of_squares += size * size;
    if (size > stats.max_abs) stats.max_abs = size;
  }
  if constexpr (Unit::kOrdered) ++stats.ulps[static_cast<std::size_t>(std::bit_width(distance<Unit>(before, after)) - 1)];
}

/// Calls body(before, after, index) for every pair of units.
template <class Unit, class Body>
void for_each_unit(ByteSpan before, ByteSpan after, Body body) {
  using Word = typename Unit::Word;
  for (std::size_t i = 0; (i + 1) * sizeof(Word) <= before.size(); ++i) {
    body(load_le<Word>(before.data() + i * sizeof(Word)), load_le<Word>(after.data() + i * sizeof(Word)), i);
  }
}

template <class Unit>
void add_differing(ByteSpan before, ByteSpan after, DifferenceStats& stats) {
  for_each_unit<Unit>(before, after, [&](auto x, auto y, std::size_t) {
    if (x != y) add_change<Unit>(x, y, stats);
  });
}

template <class Unit>
void subtract(ByteSpan before, ByteSpan after, std::span<double> out) {
  if constexpr (Unit::kNumeric) {
    for_each_unit<Unit>(before, after, [&](auto x, auto y, std::size_t i) {
      const double from = Unit::value(x), to = Unit::value(y);
      out[i] = std::isfinite(from) && std::isfinite(to) ? to - from : 0;
    });
  } else {
    std::fill(out.begin(), out.end(), 0.0);
  }
}

template <class Unit>
std::uint64_t one_distance(ByteSpan before, ByteSpan after) {
  std::uint64_t out = 0;
  for_each_unit<Unit>(before, after, [&](auto x, auto y, std::size_t) { out = distance<Unit>(x, y); });
  return out;
}

struct Row {
  DType dtype;
  std::size_t bytes;
  bool numeric;
  void (*add)(ByteSpan, ByteSpan, DifferenceStats&);
  void (*subtract)(ByteSpan, ByteSpan, std::span<double>);
  std::uint64_t (*distance)(ByteSpan, ByteSpan);
};

template <class Unit>
constexpr Row row(DType dtype) {
  return {dtype, sizeof(typename Unit::Word), Unit::kNumeric, add_differing<Unit>, subtract<Unit>, one_distance<Unit>};
}

constexpr Row kRows[] = {
    row<FloatUnit<std::uint16_t, f16_value>>(DType::f16),
    row<FloatUnit<std::uint16_t, bf16_value>>(DType::bf16),
    row<FloatUnit<std::uint32_t, f32_value>>(DType::f32),
    row<FloatUnit<std::uint64_t, f64_value>>(DType::f64),
    row<FloatUnit<std::uint32_t, f32_value>>(DType::c64),
    row<IntegerUnit<std::uint8_t, false>>(DType::u8),
    row<IntegerUnit<std::uint8_t, true>>(DType::i8),
    row<IntegerUnit<std::uint16_t, false>>(DType::u16),
    row<IntegerUnit<std::uint16_t, true>>(DType::i16),
    row<IntegerUnit<std::uint32_t, false>>(DType::u32),
    row<IntegerUnit<std::uint32_t, true>>(DType::i32),
    row<IntegerUnit<std::uint64_t, false>>(DType::u64),
    row<IntegerUnit<std::uint64_t, true>>(DType::i64),
};

const Row& find_row(DType dtype) {
  static constexpr Row kOpaque = row<OpaqueUnit>(DType::u8);
  for (const Row& known : kRows) {
    if (known.dtype == dtype) return known;
  }
  if (unit_type(dtype).bytes != kOpaque.bytes) throw Error(ErrorCode::unsupported, "no numbers of the dtype " + std::to_string(static_cast<int>(dtype)));
  return kOpaque;
}

void require_pairs(const Row& row, ByteSpan before, ByteSpan after) {
  if (before.size() == after.size() && before.size() % row.bytes == 0) return;
  throw Error(ErrorCode::invalid_argument, "tensors to compare have different sizes");
}

}  // namespace

double DifferenceStats::l2() const { return std::sqrt(sum_of_squares); }

DifferenceStats& DifferenceStats::operator+=(const DifferenceStats& other) {
  units += other.units;
  changed += other.changed;
  non_finite += other.non_finite;
  sign_changes += other.sign_changes;
  numeric = numeric || other.numeric;
  l1 += other.l1;
  sum_of_squares += other.sum_of_squares;
  if (other.max_abs > max_abs) max_abs = other.max_abs;
  for (std::size_t i = 0; i < kBuckets; ++i) ulps[i] += other.ulps[i];
  return *this;
}

void add_changes(DType dtype, ByteSpan old_values, ByteSpan new_values, DifferenceStats& stats) {
  const Row& row = find_row(dtype);
  require_pairs(row, old_values, new_values);
  stats.numeric = stats.numeric || row.numeric;
  row.add(old_values, new_values, stats);
}

DifferenceStats difference_stats(DType dtype, ByteSpan base, ByteSpan task) {
  DifferenceStats stats;
  stats.units = unit_count(dtype, base.size());
  add_changes(dtype, base, task, stats);
  return stats;
}

void differences(DType dtype, ByteSpan old_values, ByteSpan new_values, std::span<double> out) {
  const Row& row = find_row(dtype);
  require_pairs(row, old_values, new_values);
  if (out.size() != old_values.size() / row.bytes) throw Error(ErrorCode::invalid_argument, "no room for the differences");
  row.subtract(old_values, new_values, out);
}

std::uint64_t ulp_distance(DType dtype, ByteSpan before, ByteSpan after) {
  const Row& row = find_row(dtype);
  require_pairs(row, before, after);
  return row.distance(before, after);
}

}  // namespace dstore
