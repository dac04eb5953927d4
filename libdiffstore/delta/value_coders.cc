#include "delta/value_coders.h"

#include <algorithm>
#include <cstring>

#include "delta/bits.h"
#include "delta/kernels.h"
#include "delta/residual.h"

namespace dstore {

using namespace segment_layout;

namespace {

bool always(const UnitType&, Profile) { return true; }
bool no_parameter(const UnitType&, std::uint8_t parameter) { return parameter == 0; }

// Raw: the new values' bytes.

std::uint64_t raw_size(const BlockValues& values) { return values.new_values.size(); }

bool encode_raw(const BlockValues& values, const ModelEncoder*, std::uint64_t limit, std::uint8_t&, Bytes& out) {
  if (values.new_values.size() >= limit) return false;
  out.assign(values.new_values.begin(), values.new_values.end());
  return true;
}

std::optional<std::uint64_t> decode_raw(ByteSpan payload, std::uint8_t, const UnitType&, const ModelDecoder*, ByteSpan,
                                        MutableByteSpan new_values, const BlockPlace& place) {
  if (payload.size() != new_values.size()) place.fail("the values do not have the size that the positions imply");
  std::copy(payload.begin(), payload.end(), new_values.begin());
  return std::nullopt;
}

// Packed: residuals of one width, the bit length of the largest.

std::uint64_t packed_bytes(std::uint64_t count, unsigned width) { return (count * width + 7) / 8; }
std::uint64_t packed_size(const BlockValues& values) { return packed_bytes(values.count(), values.width); }

bool encode_packed(const BlockValues& values, const ModelEncoder*, std::uint64_t limit, std::uint8_t& parameter, Bytes& out) {
  if (packed_bytes(values.count(), values.width) >= limit) return false;
  parameter = static_cast<std::uint8_t>(values.width);
  out.clear();
  BitWriter bits(out);
  with_unit(values.unit.bytes, [&]<class U>(U) {
    const ResidualMap<U> map(values.unit);
    for (std::size_t at = 0; at < values.old_values.size(); at += sizeof(U)) {
      bits.put(map.residual(load_le<U>(&values.old_values[at]), load_le<U>(&values.new_values[at])), values.width);
    }
  });
  bits.finish();
  return true;
}

bool packed_parameter(const UnitType& unit, std::uint8_t width) { return width >= 1 && width <= 8 * unit.bytes; }

std::optional<std::uint64_t> decode_packed(ByteSpan payload, std::uint8_t width, const UnitType& unit, const ModelDecoder*,
                                           ByteSpan old_values, MutableByteSpan new_values, const BlockPlace& place) {
  if (payload.size() != packed_bytes(old_values.size() / unit.bytes, width)) {
    place.fail("the values do not have the size that the positions imply");
  }
  BitReader bits(payload);
  with_unit(unit.bytes, [&]<class U>(U) {
    for (std::size_t at = 0; at < old_values.size(); at += sizeof(U)) store_le(&new_values[at], static_cast<U>(bits.get(width)));
  });
  if (!bits.ended_exactly()) place.fail("padding bits of the values are not zero");
  return kernels().apply(unit, old_values.data(), new_values.data(), old_values.size() / unit.bytes);
}

// Constant: one new value for all.

bool encode_constant(const BlockValues& values, const ModelEncoder*, std::uint64_t limit, std::uint8_t&, Bytes& out) {
  const std::size_t unit = values.unit.bytes;
  const ByteSpan all = values.new_values;
  if (unit >= limit || std::memcmp(all.data(), all.data() + unit, all.size() - unit) != 0) return false;
  out.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(unit));
  return true;
}

std::optional<std::uint64_t> decode_constant(ByteSpan payload, std::uint8_t, const UnitType& unit, const ModelDecoder*, ByteSpan,
                                             MutableByteSpan new_values, const BlockPlace& place) {
  if (payload.size() != unit.bytes) place.fail("the values do not have the size that the positions imply");
  for (std::size_t at = 0; at < new_values.size(); at += unit.bytes) std::memcpy(&new_values[at], payload.data(), unit.bytes);
  return std::nullopt;
}

const ValueCoder* const kRows[] = {&kRawCoder, &kPackedCoder, &kContextCoder, &kPlanesCoder, &kConstantCoder, &kAddendCoder};
const ValueCoder* const kSpecialRows[] = {&kPlanesCoder, &kConstantCoder, &kAddendCoder};

}  // namespace

constinit const ValueCoder kRawCoder = {1, "raw", false, always, no_parameter, raw_size, encode_raw, decode_raw};
constinit const ValueCoder kPackedCoder = {2, "packed", false, always, packed_parameter, packed_size, encode_packed, decode_packed};
constinit const ValueCoder kConstantCoder = {5, "constant", false, always, no_parameter, nullptr, encode_constant, decode_constant};

std::span<const ValueCoder* const> value_coders() { return kRows; }

const ValueCoder* find_value_coder(std::uint8_t id) {
  for (const ValueCoder* row : kRows) {
    if (row->id == id) return row;
  }
  return nullptr;
}

bool has_special_coder(const BlockValues& values) {
  Bytes coded;
  std::uint8_t parameter = 0;
  for (const ValueCoder* row : kSpecialRows) {
    if (row->writes(values.unit, Profile::compact) && row->encode(values, nullptr, UINT64_MAX, parameter, coded)) return true;
  }
  return false;
}

std::uint64_t plain_bytes(const BlockValues& values) {
  std::uint64_t best = std::min(raw_size(values), packed_size(values));
  Bytes coded;
  std::uint8_t parameter = 0;
  for (const ValueCoder* row : kSpecialRows) {
    if (row->writes(values.unit, Profile::compact) && row->encode(values, nullptr, best, parameter, coded)) best = coded.size();
  }
  return best;
}

}  // namespace dstore
