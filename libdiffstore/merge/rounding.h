#pragma once

#include "delta/stats.h"
#include "dstore/tensor.h"

namespace dstore {

/// The result of one operation on values of the dtype, computed in double, as an arithmetic of that dtype gives it (through
/// fp32 where it is narrower, as CPUs and PyTorch do). Exact for +, -, * and / of two such values: 53 >= 2 * 24 + 2 bits.
template <DType kType>
inline double rounded(double value) {
  if constexpr (kType == DType::f64) return value;
  const auto narrow = static_cast<float>(value);
  if constexpr (kType == DType::f16) return float_from_f16(f16_from_float(narrow));
  if constexpr (kType == DType::bf16) return float_from_bf16(bf16_from_float(narrow));
  return narrow;
}

/// The wider type in which sums are taken.
template <DType kType>
inline double widened(double value) {
  return rounded<kType == DType::f64 ? DType::f64 : DType::f32>(value);
}

template <DType kType>
struct Arithmetic {
  static constexpr DType type = kType;
  static double round(double value) { return rounded<kType>(value); }
  static double widen(double value) { return widened<kType>(value); }
};

/// d of spec/merging.md: 0 where both are NaN or the same infinity.
template <class A>
double difference(double value, double base) {
  return value == base || (value != value && base != base) ? 0 : A::round(value - base);
}

/// Calls body(Arithmetic<dtype>{}); is_numeric(dtype).
template <class Body>
decltype(auto) with_arithmetic(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f16: return body(Arithmetic<DType::f16>{});
    case DType::bf16: return body(Arithmetic<DType::bf16>{});
    case DType::f64: return body(Arithmetic<DType::f64>{});
    default: return body(Arithmetic<DType::f32>{});
  }
}

}  // namespace dstore
