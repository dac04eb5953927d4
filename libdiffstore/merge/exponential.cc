#include "merge/exponential.h"

#include <cmath>
#include <limits>

namespace dstore {
namespace {

// ln 2 in two parts, the first so short that its multiples are exact.
constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33, kInverseLn2 = 0x1.71547652b82fep+0;
constexpr double kMost = 709;        ///< above it a double may not hold the exponential
constexpr double kTangentIsOne = 22;
constexpr int kTerms = 13;

/// 1 / i!
constexpr double inverse_factorial(int i) {
  double product = 1;  // exact up to 18!
  for (int k = 2; k <= i; ++k) product *= k;
  return 1 / product;
}

/// exp(r) - 1 by the first terms of its series; |r| <= ln 2 / 2 and a little.
double short_exponential(double r) {
  double sum = inverse_factorial(kTerms);
  for (int i = kTerms - 1; i >= 1; --i) sum = inverse_factorial(i) + r * sum;
  return r * sum;
}

struct Split {
  double power, rest;  ///< x = power * ln 2 + rest
};
Split split(double x) {
  const double power = std::floor(x * kInverseLn2 + 0.5);
  return {power, (x - power * kLn2High) - power * kLn2Low};
}

}  // namespace

double exponential(double x) {
  if (!(x <= kMost)) return x > kMost ? std::numeric_limits<double>::infinity() : x;
  const auto [power, rest] = split(x);
  return std::ldexp(1 + short_exponential(rest), static_cast<int>(power));
}

double hyperbolic_tangent(double x) {
  const double size = std::fabs(x);
  if (!(size < kTangentIsOne)) return size >= kTangentIsOne ? std::copysign(1.0, x) : x;
  const auto [power, rest] = split(2 * size);
  const double less_one = power == 0 ? short_exponential(rest) : std::ldexp(1 + short_exponential(rest), static_cast<int>(power)) - 1;
  return std::copysign(less_one / (less_one + 2), x);
}

}  // namespace dstore
