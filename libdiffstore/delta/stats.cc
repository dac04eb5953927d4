#include "delta/stats.h"

#include <bit>
#include <cmath>

#include "delta/bits.h"
#include "delta/element.h"
#include "delta/residual.h"
#include "dstore/error.h"

namespace dstore {
namespace {

double f16_value(const std::byte* at) { return float_from_f16(load_le<std::uint16_t>(at)); }
double bf16_value(const std::byte* at) { return float_from_bf16(load_le<std::uint16_t>(at)); }
double f32_value(const std::byte* at) { return std::bit_cast<float>(load_le<std::uint32_t>(at)); }
double f64_value(const std::byte* at) { return std::bit_cast<double>(load_le<std::uint64_t>(at)); }

template <auto kValue, unsigned kBytes>
void read_all(ByteSpan bytes, std::span<double> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = kValue(bytes.data() + i * kBytes);
}

void put_f16(double value, std::byte* at) { store_le(at, f16_from_float(static_cast<float>(value))); }
void put_bf16(double value, std::byte* at) { store_le(at, bf16_from_float(static_cast<float>(value))); }
void put_f32(double value, std::byte* at) { store_le(at, std::bit_cast<std::uint32_t>(static_cast<float>(value))); }
void put_f64(double value, std::byte* at) { store_le(at, std::bit_cast<std::uint64_t>(value)); }

template <auto kPut, unsigned kBytes>
void write_all(std::span<const double> values, MutableByteSpan out) {
  for (std::size_t i = 0; i < values.size(); ++i) kPut(values[i], out.data() + i * kBytes);
}

struct NumericType {
  DType dtype;
  unsigned bytes;
  double (*value)(const std::byte*);
  void (*read)(ByteSpan, std::span<double>);
  void (*write)(std::span<const double>, MutableByteSpan);
};
constexpr NumericType kNumericTypes[] = {
    {DType::f16, 2, f16_value, read_all<f16_value, 2>, write_all<put_f16, 2>},
    {DType::bf16, 2, bf16_value, read_all<bf16_value, 2>, write_all<put_bf16, 2>},
    {DType::f32, 4, f32_value, read_all<f32_value, 4>, write_all<put_f32, 4>},
    {DType::f64, 8, f64_value, read_all<f64_value, 8>, write_all<put_f64, 8>},
    {DType::c64, 4, f32_value, read_all<f32_value, 4>, write_all<put_f32, 4>},
};

const NumericType* find_numeric(DType dtype) {
  for (const NumericType& type : kNumericTypes) {
    if (type.dtype == dtype) return &type;
  }
  return nullptr;
}

void add_unit(double before, double after, bool changed, DifferenceStats& stats) {
  if (std::isfinite(before)) stats.base_sum_of_squares += before * before;
  if (!changed) return;
  ++stats.changed;
  if (!std::isfinite(before) || !std::isfinite(after)) {
    ++stats.non_finite;
    return;
  }
  const double difference = std::abs(after - before);
  stats.l1 += difference;
  stats.sum_of_squares += difference * difference;
  if (difference > stats.max_abs) stats.max_abs = difference;
}

}  // namespace

bool is_numeric(DType dtype) { return find_numeric(dtype) != nullptr; }

namespace {

const NumericType& require_numeric(DType dtype) {
  if (const NumericType* type = find_numeric(dtype)) return *type;
  throw Error(ErrorCode::unsupported, "values of the dtype " + std::to_string(static_cast<int>(dtype)) + " cannot be calculated with");
}

}  // namespace

void read_doubles(DType dtype, ByteSpan bytes, std::span<double> out) {
  const NumericType& type = require_numeric(dtype);
  if (bytes.size() / type.bytes < out.size()) throw Error(ErrorCode::invalid_argument, "fewer bytes than values to read");
  type.read(bytes, out);
}

void write_doubles(DType dtype, std::span<const double> values, MutableByteSpan out) {
  const NumericType& type = require_numeric(dtype);
  if (out.size() / type.bytes < values.size()) throw Error(ErrorCode::invalid_argument, "more values than there is room for");
  type.write(values, out);
}

double DifferenceStats::l2() const { return std::sqrt(sum_of_squares); }

DifferenceStats& DifferenceStats::operator+=(const DifferenceStats& other) {
  units += other.units;
  changed += other.changed;
  non_finite += other.non_finite;
  numeric = numeric || other.numeric;
  l1 += other.l1;
  sum_of_squares += other.sum_of_squares;
  if (other.max_abs > max_abs) max_abs = other.max_abs;
  base_sum_of_squares += other.base_sum_of_squares;
  return *this;
}

DifferenceStats difference_stats(DType dtype, ByteSpan base, ByteSpan task) {
  const UnitType& unit = unit_type(dtype);
  if (base.size() != task.size() || base.size() % unit.bytes != 0) {
    throw Error(ErrorCode::invalid_argument, "tensors to compare have different sizes");
  }
  DifferenceStats stats;
  stats.units = base.size() / unit.bytes;
  const auto differs = [&](std::size_t at) { return std::memcmp(base.data() + at, task.data() + at, unit.bytes) != 0; };
  if (const NumericType* type = find_numeric(dtype)) {
    stats.numeric = true;
    for (std::size_t at = 0; at < base.size(); at += type->bytes) {
      add_unit(type->value(base.data() + at), type->value(task.data() + at), differs(at), stats);
    }
    return stats;
  }
  for (std::size_t at = 0; at < base.size(); at += unit.bytes) stats.changed += differs(at);
  return stats;
}

}  // namespace dstore
