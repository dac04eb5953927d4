#include "merge/number_loops.h"

#include <cmath>
#include <cstring>
#include <random>

#include "catch.h"
#include "delta/stats.h"
#include "merge/rounding.h"

using namespace dstore;

namespace {

/// Finite values of the dtype of all sizes, and some that overflow in products and sums.
template <class Value>
std::vector<Value> some_values(DType dtype, std::size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<Value> out(count);
  const std::size_t unit = sizeof(Value) == 8 ? 8 : dtype == DType::f32 ? 4 : 2;
  for (Value& value : out) {
    Bytes bits(unit);
    double wide = NAN;
    while (!std::isfinite(wide)) {
      const std::uint64_t word = random();
      std::memcpy(bits.data(), &word, unit);
      read_doubles(dtype, bits, std::span(&wide, 1));
    }
    value = static_cast<Value>(random() % 5 == 0 ? 0 : wide);
  }
  return out;
}

template <class Value>
const NumberLoops<Value>& loops_of(const NumberLoopSet& set, DType dtype) {
  if constexpr (sizeof(Value) == 8) return set.f64;
  else return dtype == DType::f16 ? set.f16 : dtype == DType::bf16 ? set.bf16 : set.f32;
}

/// -0 and 0 are equal, NaNs too.
template <class Value>
bool alike(const std::vector<Value>& a, const std::vector<Value>& b) {
  for (std::size_t j = 0; j < a.size(); ++j) {
    if (a[j] != b[j] && !(std::isnan(a[j]) && std::isnan(b[j]))) return false;
  }
  return true;
}

template <class A, class Value>
void check_operations(const NumberLoops<Value>& loop) {
  const std::size_t count = 5003;
  const auto x = some_values<Value>(A::type, count, 1), b = some_values<Value>(A::type, count, 2);
  std::vector<Value> got(count), wanted(count);
  const auto each = [&](auto value) {
    for (std::size_t j = 0; j < count; ++j) wanted[j] = static_cast<Value>(value(j));
    CHECK(alike(got, wanted));
  };
  loop.subtract(x.data(), b.data(), count, got.data());
  each([&](std::size_t j) { return difference<A>(x[j], b[j]); });
  got = x;
  loop.scale(got.data(), Value(0.3f), count);
  each([&](std::size_t j) { return A::round(double{x[j]} * double{Value(0.3f)}); });
  got = x;
  loop.add(b.data(), count, got.data());
  each([&](std::size_t j) { return A::widen(double{x[j]} + double{b[j]}); });
  got = x;
  loop.divide(got.data(), Value(3), count);
  each([&](std::size_t j) { return A::round(A::widen(double{x[j]} / 3)); });
  got = x;
  loop.fuse(b.data(), Value(0.7f), count, got.data());
  each([&](std::size_t j) { return std::fma(b[j], Value(0.7f), x[j]); });

  std::vector<Value> sums(count, 0), divisors(count, 0);
  std::vector<Value> signs = b;
  loop.elect(signs.data(), Value(-1), count);
  for (std::size_t j = 0; j < count; ++j) REQUIRE(signs[j] == (b[j] > 0 ? 1 : -1));
  signs = b;
  loop.elect(signs.data(), Value(1), count);
  loop.add_elected(x.data(), x.data(), signs.data(), Value(2), count, sums.data(), divisors.data());
  for (std::size_t j = 0; j < count; ++j) {
    const bool wins = b[j] >= 0 ? x[j] > 0 : x[j] < 0;
    REQUIRE(sums[j] == (wins ? x[j] : 0));
    REQUIRE(divisors[j] == (wins ? 2 : 0));
  }
  got = sums;
  loop.take_largest(b.data(), x.data(), signs.data(), count, got.data());
  each([&](std::size_t j) { return divisors[j] != 0 && std::fabs(b[j]) > std::fabs(sums[j]) ? b[j] : sums[j]; });
  got = x;
  loop.finish(b.data(), divisors.data(), {true, Value(0.5)}, count, got.data());
  each([&](std::size_t j) {
    const double change = A::round(A::round(x[j] / (divisors[j] == 0 ? 1 : divisors[j])) * 0.5);
    return change == 0 ? b[j] : A::round(b[j] + change);
  });
}

}  // namespace

TEST_CASE("Every set of loops does each operation as the specification says, with one rounding") {
  for (const NumberLoopSet* set : all_number_loops()) {
    if (!set->runs_here()) continue;
    INFO(set->name);
    for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64}) {
      INFO("dtype " << static_cast<int>(dtype));
      with_arithmetic(dtype, [&]<class A>(A) {
        using Value = std::conditional_t<A::type == DType::f64, double, float>;
        check_operations<A, Value>(loops_of<Value>(*set, A::type));
      });
    }
  }
}

TEST_CASE("Every 16-bit pattern is read and written as by the conversions of single numbers; a NaN as the quiet one") {
  for (const NumberLoopSet* set : all_number_loops()) {
    if (!set->runs_here()) continue;
    for (const DType dtype : {DType::f16, DType::bf16}) {
      const auto single = dtype == DType::f16 ? float_from_f16 : float_from_bf16;
      const NumberLoops<float>& loop = loops_of<float>(*set, dtype);
      std::vector<std::uint16_t> bits(65536), back(65536);
      for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint16_t>(i);
      std::vector<float> values(bits.size());
      loop.read(reinterpret_cast<const std::byte*>(bits.data()), bits.size(), values.data());
      loop.write(values.data(), values.size(), reinterpret_cast<std::byte*>(back.data()));
      for (std::size_t i = 0; i < bits.size(); ++i) {
        const float value = single(bits[i]);
        REQUIRE((values[i] == value || (std::isnan(values[i]) && std::isnan(value))));
        REQUIRE(back[i] == (std::isnan(value) ? (dtype == DType::f16 ? 0x7e00 : 0x7fc0) : bits[i]));
      }
    }
  }
}

TEST_CASE("What is dropped at random is the same for one element and for many") {
  const PhiloxKey key{123, 456};
  for (const NumberLoopSet* set : all_number_loops()) {
    if (!set->runs_here()) continue;
    std::vector<float> values(1003, 1);
    const std::uint64_t first = (std::uint64_t{1} << 34) - 400;
    set->f32.drop(values.data(), first, key, 0.3f, values.size());
    for (std::size_t j = 0; j < values.size(); ++j) {
      const std::uint64_t element = first + j, block = element / 4;
      const PhiloxBlock words = philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 0, 0}, key);
      REQUIRE(values[j] == (uniform_float(words[element % 4]) >= 0.3f ? 0 : 1));
    }
  }
}
