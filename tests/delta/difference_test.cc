#include "delta/difference.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "catch.h"
#include "delta/bits.h"
#include "delta/stats.h"
#include "dstore/error.h"
#include "tensor_pairs.h"

using namespace dstore;

namespace {

template <class T>
Bytes units(std::initializer_list<T> values) {
  Bytes out(values.size() * sizeof(T));
  std::memcpy(out.data(), std::data(values), out.size());
  return out;
}

/// ulp_distance() of two values of one type.
template <class T>
std::uint64_t distance(DType dtype, T before, T after) {
  return ulp_distance(dtype, units<T>({before}), units<T>({after}));
}

/// The plain way to the same numbers: one unit at a time.
DifferenceStats by_hand(DType dtype, const Bytes& base, const Bytes& task) {
  const std::size_t unit = unit_type(dtype).bytes;
  DifferenceStats out;
  out.units = base.size() / unit;
  out.numeric = is_numeric(dtype);
  for (std::size_t at = 0; at < base.size(); at += unit) {
    const ByteSpan x = ByteSpan(base).subspan(at, unit), y = ByteSpan(task).subspan(at, unit);
    if (std::equal(x.begin(), x.end(), y.begin())) continue;
    ++out.changed;
    if (out.numeric) {
      double a = 0, b = 0;
      read_doubles(dtype, x, {&a, 1});
      read_doubles(dtype, y, {&b, 1});
      if (!std::isfinite(a) || !std::isfinite(b)) {
        ++out.non_finite;
        continue;
      }
      out.sign_changes += a * b < 0 || (a < 0 && b > 0) || (a > 0 && b < 0);
      out.l1 += std::fabs(b - a);
      out.sum_of_squares += (b - a) * (b - a);
      out.max_abs = std::max(out.max_abs, std::fabs(b - a));
    }
    for (std::uint64_t steps = ulp_distance(dtype, x, y), bucket = 0; steps > 0; steps >>= 1, ++bucket) {
      if (steps == 1) ++out.ulps[bucket];
    }
  }
  return out;
}

bool same(const DifferenceStats& a, const DifferenceStats& b) {
  const auto number = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  return a.units == b.units && a.changed == b.changed && a.non_finite == b.non_finite && a.sign_changes == b.sign_changes && a.numeric == b.numeric &&
         number(a.l1, b.l1) && number(a.sum_of_squares, b.sum_of_squares) && number(a.max_abs, b.max_abs) && a.ulps == b.ulps;
}

}  // namespace

TEST_CASE("Numbers of a difference") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Bytes base = units<float>({1, 2, 3, 0.0f, nan, 5, -1});
  const Bytes task = units<float>({1, 4, 2.5f, -0.0f, 1, 5, 1});
  const DifferenceStats stats = difference_stats(DType::f32, base, task);
  CHECK(stats.units == 7);
  CHECK(stats.changed == 5);
  CHECK(stats.non_finite == 1);
  CHECK(stats.sign_changes == 1);
  CHECK(stats.numeric);
  CHECK(stats.l1 == 4.5);
  CHECK(stats.sum_of_squares == 8.25);
  CHECK(stats.max_abs == 2);
  CHECK(stats.ulps[0] == 1);   // 0 to -0
  CHECK(stats.ulps[21] == 1);  // 3 to 2.5
  CHECK(stats.ulps[23] == 1);  // 2 to 4
  CHECK(stats.density() == Approx(5.0 / 7));
  DifferenceStats twice = stats;
  twice += stats;
  CHECK(twice.l2() == Approx(std::sqrt(16.5)));
  CHECK(twice.ulps[0] == 2);
  CHECK(difference_stats(DType::f32, {}, {}).density() == 0);
  CHECK_THROWS_AS(difference_stats(DType::f32, base, ByteSpan(task).first(4)), Error);
}

TEST_CASE("A distance in ulps is the number of steps between two values") {
  CHECK(distance<std::uint16_t>(DType::bf16, 0x3f80, 0x3f81) == 1);
  CHECK(distance<std::uint16_t>(DType::bf16, 0x3f80, 0x3f80) == 0);
  CHECK(distance<std::uint16_t>(DType::f16, 0x0000, 0x8000) == 1);
  CHECK(distance<std::uint16_t>(DType::f16, 0x0001, 0x8001) == 3);  // through +0 and -0
  CHECK(distance<std::uint16_t>(DType::f16, 0x7bff, 0xfbff) == 2 * 0x7bff + 1);
  CHECK(distance<std::uint16_t>(DType::f16, 0x7c00, 0x3c00) == 0);  // infinite
  CHECK(distance<std::uint16_t>(DType::f16, 0x3c00, 0x7e00) == 0);  // NaN
  CHECK(distance<float>(DType::f32, 1.0f, std::nextafter(std::nextafter(1.0f, 2.0f), 2.0f)) == 2);
  CHECK(distance<double>(DType::f64, -std::numeric_limits<double>::max(), std::numeric_limits<double>::max()) == 0xffdfffffffffffffu);
  CHECK(distance<std::uint8_t>(DType::u8, 0, 255) == 255);
  CHECK(distance<std::int8_t>(DType::i8, -128, 127) == 255);
  CHECK(distance<std::int64_t>(DType::i64, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()) == ~std::uint64_t{0});
  CHECK(distance<std::int32_t>(DType::i32, -1, 1) == 2);
  CHECK(distance<std::uint8_t>(DType::boolean, 0, 1) == 0);
  CHECK(distance<std::uint8_t>(DType::f8_e4m3, 1, 2) == 0);
}

TEST_CASE("Numbers of differences are those of a plain loop, for every dtype and kind of change") {
  std::uint64_t seed = 0;
  for (const DType dtype : testing::all_dtypes()) {
    for (const testing::Change change : testing::kChanges) {
      const testing::TensorPair pair = testing::make_pair(dtype, 3001, 0.2, change, ++seed);
      const DifferenceStats stats = difference_stats(dtype, pair.base, pair.task);
      CHECK(same(stats, by_hand(dtype, pair.base, pair.task)));
      CHECK(stats.changed == count_changed(dtype, pair.base, pair.task));
      CHECK(stats.changed == 600);
    }
  }
}

TEST_CASE("Changes given side by side have the numbers of the tensors that they come from") {
  std::uint64_t seed = 0;
  for (const DType dtype : testing::all_dtypes()) {
    const testing::TensorPair pair = testing::make_pair(dtype, 5001, 0.1, testing::Change::special, ++seed);
    const Bytes segment = testing::encode_pair(pair);
    const SegmentReader reader(segment, "test");
    const Changes changes = reader.changes(0, 0, pair.base);
    DifferenceStats listed;
    add_changes(dtype, changes.old_values, changes.new_values, listed);
    listed.units = 5001;
    CHECK(same(listed, difference_stats(dtype, pair.base, pair.task)));

    std::vector<double> numbers(changes.positions.size());
    differences(dtype, changes.old_values, changes.new_values, numbers);
    double l1 = 0;
    for (const double number : numbers) l1 += std::fabs(number);
    CHECK(l1 == listed.l1);
  }
}
