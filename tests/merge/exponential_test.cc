#include "merge/exponential.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "catch.h"

using namespace dstore;

namespace {

/// Apart in units of the last place of the second.
double apart(double a, double b) { return std::fabs(a - b) / (std::nextafter(std::fabs(b), INFINITY) - std::fabs(b)); }

}  // namespace

TEST_CASE("Exponential and hyperbolic tangent are within 5 units in the last place of the C library's") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200000; ++i) {
    const double share = std::ldexp(static_cast<double>(random() >> 11), -53), x = std::ldexp(share, static_cast<int>(random() % 60) - 50);
    REQUIRE(apart(exponential(x), std::exp(x)) <= 5);
    REQUIRE(apart(hyperbolic_tangent(x), std::tanh(x)) <= 5);
    REQUIRE(hyperbolic_tangent(-x) == -hyperbolic_tangent(x));
  }
}

TEST_CASE("Their ends") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  CHECK(exponential(0) == 1);
  CHECK(std::isfinite(exponential(709)));
  CHECK(exponential(709.1) == kInfinity);
  CHECK(exponential(kInfinity) == kInfinity);
  CHECK(std::isnan(exponential(NAN)));
  CHECK(hyperbolic_tangent(0) == 0);
  CHECK(hyperbolic_tangent(kInfinity) == 1);
  CHECK(hyperbolic_tangent(-30) == -1);
  CHECK(std::isnan(hyperbolic_tangent(NAN)));
}

TEST_CASE("Their bits are those of the specification, evaluated in Python") {
  const struct {
    double x, exponential, hyperbolic_tangent;
  } rows[] = {
      {0x1.12e0be826d695p-30, 0x1.000000044b830p+0, 0x1.12e0be826d695p-30},
      {0x1.999999999999ap-4, 0x1.1aec7b35a00d4p+0, 0x1.983d7795f413ap-4},
      {0x1.62e43096a0c0dp-3, 0x1.306fe0bbee23ap+0, 0x1.5f619a22d6ea9p-3},
      {0x1.0000000000000p-1, 0x1.a61298e1e069cp+0, 0x1.d9353d7568af4p-2},
      {0x1.0000000000000p+0, 0x1.5bf0a8b14576ap+1, 0x1.85efab514f394p-1},
      {0x1.5bf0a8b04919bp+1, 0x1.e4efb75a890fdp+3, 0x1.fb8f76b1d13d4p-1},
      {0x1.8000000000000p+1, 0x1.415e5bf6fb106p+4, 0x1.fd77d111a0b00p-1},
      {0x1.1400000000000p+4, 0x1.d94295464477bp+24, 0x1.fffffffffffedp-1},
      {0x1.5e66666666666p+4, 0x1.82afcca727c18p+31, 0x1.0000000000000p+0},
      {0x1.2c80000000000p+8, 0x1.719c25b8f5b4ap+433, 0x1.0000000000000p+0},
  };
  for (const auto& row : rows) {
    CHECK(std::bit_cast<std::uint64_t>(exponential(row.x)) == std::bit_cast<std::uint64_t>(row.exponential));
    CHECK(std::bit_cast<std::uint64_t>(hyperbolic_tangent(row.x)) == std::bit_cast<std::uint64_t>(row.hyperbolic_tangent));
  }
}
