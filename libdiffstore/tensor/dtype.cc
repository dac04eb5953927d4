#include "tensor/dtype.h"

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

using enum DTypeKind;
using enum FloatSpecials;

// In the order of DType. write_order is the rank of the dtype in the safetensors crate, whose writers sort by it.
constexpr std::array<DTypeInfo, 22> kDTypes{{
    // dtype, name, bits, write_order, kind, sign, exponent, mantissa, bias, specials
    {DType::boolean, "BOOL", 8, 0, boolean},
    {DType::u8, "U8", 8, 4, unsigned_integer},
    {DType::i8, "I8", 8, 5, signed_integer},
    {DType::u16, "U16", 16, 12, unsigned_integer},
    {DType::i16, "I16", 16, 11, signed_integer},
    {DType::u32, "U32", 32, 16, unsigned_integer},
    {DType::i32, "I32", 32, 15, signed_integer},
    {DType::u64, "U64", 64, 21, unsigned_integer},
    {DType::i64, "I64", 64, 20, signed_integer},
    {DType::f16, "F16", 16, 13, floating, 1, 5, 10, 15, ieee},
    {DType::bf16, "BF16", 16, 14, floating, 1, 8, 7, 127, ieee},
    {DType::f32, "F32", 32, 17, floating, 1, 8, 23, 127, ieee},
    {DType::f64, "F64", 64, 19, floating, 1, 11, 52, 1023, ieee},
    {DType::c64, "C64", 64, 18, complex_floating, 1, 8, 23, 127, ieee},
    {DType::f8_e4m3, "F8_E4M3", 8, 7, floating, 1, 4, 3, 7, nan_only},
    {DType::f8_e5m2, "F8_E5M2", 8, 6, floating, 1, 5, 2, 15, ieee},
    {DType::f8_e8m0, "F8_E8M0", 8, 8, floating, 0, 8, 0, 127, nan_only},
    {DType::f8_e4m3fnuz, "F8_E4M3FNUZ", 8, 9, floating, 1, 4, 3, 8, fnuz},
    {DType::f8_e5m2fnuz, "F8_E5M2FNUZ", 8, 10, floating, 1, 5, 2, 16, fnuz},
    {DType::f6_e2m3, "F6_E2M3", 6, 2, floating, 1, 2, 3, 1, none},
    {DType::f6_e3m2, "F6_E3M2", 6, 3, floating, 1, 3, 2, 3, none},
    {DType::f4, "F4", 4, 1, floating, 1, 2, 1, 1, none},
}};

constexpr bool row_is_consistent(std::size_t i) {
  const DTypeInfo& row = kDTypes[i];
  const unsigned components = row.kind == complex_floating ? 2 : 1;
  const unsigned float_bits = components * (row.sign_bits + row.exponent_bits + row.mantissa_bits);
  return static_cast<std::size_t>(row.dtype) == i + 1 && (float_bits == 0 || float_bits == row.bits);
}

static_assert([] {
  for (std::size_t i = 0; i < kDTypes.size(); ++i) {
    if (!row_is_consistent(i)) return false;
  }
  return true;
}());

}  // namespace

std::span<const DTypeInfo> dtype_table() { return kDTypes; }

const DTypeInfo& dtype_info(DType dtype) {
  const auto code = static_cast<std::uint8_t>(dtype);
  if (!dtype_from_code(code)) throw Error(ErrorCode::unsupported, "unknown dtype number " + std::to_string(code));
  return kDTypes[code - 1];
}

std::optional<DType> dtype_from_name(std::string_view name) {
  const auto row = std::ranges::find(kDTypes, name, &DTypeInfo::name);
  return row == kDTypes.end() ? std::nullopt : std::optional(row->dtype);
}

std::optional<DType> dtype_from_code(std::uint8_t code) {
  return code >= 1 && code <= kDTypes.size() ? std::optional(static_cast<DType>(code)) : std::nullopt;
}

std::uint64_t element_count(std::span<const std::uint64_t> shape, std::string_view what) {
  std::uint64_t count = 1;
  for (const std::uint64_t dimension : shape) count = checked_mul(count, dimension, what);
  return count;
}

std::uint64_t tensor_bytes(DType dtype, std::span<const std::uint64_t> shape, std::string_view what) {
  const DTypeInfo& info = dtype_info(dtype);
  const std::uint64_t bits = checked_mul(element_count(shape, what), info.bits, what);
  if (bits % 8 != 0) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": " + std::to_string(bits) + " bits of " +
                                        std::string(info.name) + " do not fill whole bytes");
  }
  return bits / 8;
}

}  // namespace dstore
