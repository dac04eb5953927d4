#include "merge/trim.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "catch.h"

using namespace dstore;

namespace {

/// Small integers as differences: many ties and zeros.
std::vector<double> some_differences(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> out(count);
  for (double& value : out) value = static_cast<double>(random() % 41) - 20;
  return out;
}

/// Shows the differences in windows of `step` elements, as often as the trim wants.
std::vector<double> trimmed(Trim& trim, const std::vector<double>& differences, std::size_t step) {
  const auto window = [&](auto& values, std::size_t at) { return std::span(values).subspan(at, std::min(step, values.size() - at)); };
  while (trim.wants_pass()) {
    for (std::size_t at = 0; at < differences.size(); at += step) trim.look(ElementList{at, {}}, window(differences, at));
    trim.end_pass();
  }
  std::vector<double> out = differences;
  for (std::size_t at = 0; at < out.size(); at += step) trim.apply(ElementList{at, {}}, window(out, at));
  return out;
}

/// Ranks [skip, skip + keep) of a stable sort by magnitude, the rest 0.
std::vector<double> expected(const std::vector<double>& differences, std::size_t skip, std::size_t keep) {
  std::vector<std::size_t> order(differences.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return std::fabs(differences[a]) > std::fabs(differences[b]); });
  std::vector<double> out(differences.size());
  for (std::size_t i = skip; i < std::min(skip + keep, order.size()); ++i) out[order[i]] = differences[order[i]];
  return out;
}

}  // namespace

TEST_CASE("The largest differences are kept, exactly as many, the first of equals, whatever the windows") {
  for (const DType dtype : {DType::f32, DType::f64, DType::bf16}) {
    for (const std::size_t count : {1u, 7u, 1000u}) {
      const std::vector<double> differences = some_differences(count, static_cast<unsigned>(count));
      for (const double density : {0.0, 0.001, 0.1, 0.33, 0.5, 0.99, 1.0}) {
        const auto floor = static_cast<std::size_t>(density * static_cast<double>(count));
        const std::size_t keep = density == 0 ? 0 : density == 1 ? count : std::max<std::size_t>(1, floor);
        for (const std::size_t step : {count, std::size_t{1}, std::size_t{13}}) {
          const auto trim = Trim::largest({"t", dtype, count}, density);
          CHECK(trimmed(*trim, differences, step) == expected(differences, 0, keep));
        }
      }
    }
  }
}

TEST_CASE("Outliers are dropped above what is kept") {
  const std::vector<double> differences = some_differences(500, 3);
  for (const double density : {0.1, 0.6, 0.95}) {
    for (const double gamma : {0.0, 0.02, 0.3}) {
      const auto keep = static_cast<std::size_t>(density * 500);
      const std::size_t skip = std::min(static_cast<std::size_t>(gamma * 500), 500 - keep);
      const auto trim = Trim::without_outliers({"t", DType::f32, 500}, density, gamma);
      CHECK(trimmed(*trim, differences, 64) == expected(differences, skip, keep));
    }
  }
}

TEST_CASE("Random trims follow seed, model, name and element, not the windows") {
  const std::vector<double> ones(10'000, 1.0);
  const auto kept = [&](const char* name, std::uint64_t seed, std::size_t model, std::size_t step) {
    return trimmed(*Trim::random({name, DType::f32, ones.size()}, 0.3, seed, model), ones, step);
  };
  const std::vector<double> one = kept("a", 1, 0, 10'000);
  CHECK(one == kept("a", 1, 0, 7));
  CHECK(one != kept("b", 1, 0, 7));
  CHECK(one != kept("a", 2, 0, 7));
  CHECK(one != kept("a", 1, 1, 7));
  const double share = std::accumulate(one.begin(), one.end(), 0.0);
  CHECK(std::fabs(share - 3000) < 5 * std::sqrt(10'000 * 0.3 * 0.7));
}

TEST_CASE("Infinite and NaN differences count as the largest") {
  const std::vector<double> differences = {1, INFINITY, -2, NAN, 0.5};
  const std::vector<double> out = trimmed(*Trim::largest({"t", DType::f32, 5}, 0.4), differences, 2);
  CHECK(out[0] == 0);
  CHECK(out[1] == INFINITY);
  CHECK(std::isnan(out[3]));
  CHECK(out[2] == 0);
}
