#include "delta/stats.h"

#include <bit>

#include "delta/bits.h"
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
  void (*read)(ByteSpan, std::span<double>);
  void (*write)(std::span<const double>, MutableByteSpan);
};
constexpr NumericType kNumericTypes[] = {
    {DType::f16, 2, read_all<f16_value, 2>, write_all<put_f16, 2>},
    {DType::bf16, 2, read_all<bf16_value, 2>, write_all<put_bf16, 2>},
    {DType::f32, 4, read_all<f32_value, 4>, write_all<put_f32, 4>},
    {DType::f64, 8, read_all<f64_value, 8>, write_all<put_f64, 8>},
    {DType::c64, 4, read_all<f32_value, 4>, write_all<put_f32, 4>},
};

const NumericType* find_numeric(DType dtype) {
  for (const NumericType& type : kNumericTypes) {
    if (type.dtype == dtype) return &type;
  }
  return nullptr;
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

}  // namespace dstore
