// new = old + addend in the tensor's own arithmetic, where a narrower float than the tensor's gives every new value exactly.
#include <bit>
#include <cmath>

#include "delta/bits.h"
#include "delta/planes.h"
#include "delta/stats.h"
#include "delta/value_coders.h"

namespace dstore {
namespace {

/// A format of addends; its number is the coder's parameter.
struct AddendType {
  std::uint8_t parameter;
  unsigned bytes;
  std::uint32_t (*narrow)(double value);
  double (*widen)(std::uint32_t bits);
};
constexpr AddendType kTypes[] = {
    {1, 2, [](double v) { return std::uint32_t{bf16_from_float(static_cast<float>(v))}; },
     [](std::uint32_t bits) { return double{float_from_bf16(static_cast<std::uint16_t>(bits))}; }},
    {2, 2, [](double v) { return std::uint32_t{f16_from_float(static_cast<float>(v))}; },
     [](std::uint32_t bits) { return double{float_from_f16(static_cast<std::uint16_t>(bits))}; }},
    {3, 4, [](double v) { return std::bit_cast<std::uint32_t>(static_cast<float>(v)); },
     [](std::uint32_t bits) { return double{std::bit_cast<float>(bits)}; }},
};

const AddendType* find_type(const UnitType& unit, std::uint8_t parameter) {
  for (const AddendType& type : kTypes) {
    if (type.parameter == parameter && type.bytes < unit.bytes && unit.exponent_bits != 0) return &type;
  }
  return nullptr;
}

bool writes(const UnitType& unit, Profile profile) {
  return profile == Profile::compact && (unit.dtype == DType::f32 || unit.dtype == DType::f64 || unit.dtype == DType::c64);
}
bool accepts(const UnitType& unit, std::uint8_t parameter) { return unit.bytes >= 4 && find_type(unit, parameter) != nullptr; }

/// Old and new as the unit's float; the sum of two floats in double, rounded once more to float, is the float sum.
template <class U>
double value_of(const std::byte* at) {
  if constexpr (sizeof(U) == 8) return std::bit_cast<double>(load_le<std::uint64_t>(at));
  return double{std::bit_cast<float>(load_le<std::uint32_t>(at))};
}
template <class U>
U sum_bits(double old_value, double addend) {
  if constexpr (sizeof(U) == 8) return std::bit_cast<std::uint64_t>(old_value + addend);
  return std::bit_cast<std::uint32_t>(static_cast<float>(old_value) + static_cast<float>(addend));
}

template <class U>
bool collect(const BlockValues& values, const AddendType& type, Bytes& addends) {
  addends.resize(values.count() * type.bytes);
  std::byte* to = addends.data();
  for (std::size_t at = 0; at < values.old_values.size(); at += sizeof(U), to += type.bytes) {
    const double old_value = value_of<U>(&values.old_values[at]);
    const double new_value = value_of<U>(&values.new_values[at]);
    const std::uint32_t bits = type.narrow(new_value - old_value);
    const U sum = sum_bits<U>(old_value, type.widen(bits));
    if (std::isnan(new_value) || sum != load_le<U>(&values.new_values[at])) return false;
    for (unsigned b = 0; b < type.bytes; ++b) to[b] = static_cast<std::byte>(bits >> (8 * b) & 0xff);
  }
  return true;
}

bool encode(const BlockValues& values, const ModelEncoder*, std::uint64_t limit, std::uint8_t& parameter, Bytes& out) {
  Bytes addends;
  for (const AddendType& type : kTypes) {
    if (type.bytes >= values.unit.bytes) continue;
    const bool exact = values.unit.bytes == 8 ? collect<std::uint64_t>(values, type, addends) : collect<std::uint32_t>(values, type, addends);
    if (!exact) continue;
    write_planes(addends, type.bytes, PlaneCodec::byte_code, out);
    parameter = type.parameter;
    return out.size() < limit;
  }
  return false;
}

template <class U>
bool add_all(const AddendType& type, const Bytes& addends, ByteSpan old_values, MutableByteSpan new_values) {
  const std::byte* from = addends.data();
  bool is_number = true;
  for (std::size_t at = 0; at < old_values.size(); at += sizeof(U), from += type.bytes) {
    std::uint32_t bits = 0;
    for (unsigned b = 0; b < type.bytes; ++b) bits |= std::to_integer<std::uint32_t>(from[b]) << (8 * b);
    const U sum = sum_bits<U>(value_of<U>(&old_values[at]), type.widen(bits));
    store_le(&new_values[at], sum);
    is_number &= !std::isnan(value_of<U>(&new_values[at]));
  }
  return is_number;
}

std::optional<std::uint64_t> decode(ByteSpan payload, std::uint8_t parameter, const UnitType& unit, const ModelDecoder*, ByteSpan old_values,
                                    MutableByteSpan new_values, const BlockPlace& place) {
  const AddendType& type = *find_type(unit, parameter);
  Bytes addends(old_values.size() / unit.bytes * type.bytes);
  if (!read_planes(payload, type.bytes, PlaneCodec::byte_code, addends)) place.fail("the planes of the values are malformed");
  const bool is_number = unit.bytes == 8 ? add_all<std::uint64_t>(type, addends, old_values, new_values)
                                         : add_all<std::uint32_t>(type, addends, old_values, new_values);
  if (!is_number) place.fail("a sum is not a number");
  return std::nullopt;
}

}  // namespace

constinit const ValueCoder kAddendCoder = {6, "addend", false, writes, accepts, nullptr, encode, decode};

}  // namespace dstore
