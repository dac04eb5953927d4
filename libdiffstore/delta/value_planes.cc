// Residuals by byte planes, each compressed with LZ4: larger than Huffman codes, and several times faster to read.
#include "delta/kernels.h"
#include "delta/planes.h"
#include "delta/value_coders.h"

namespace dstore {
namespace {

/// Compact segments have better means for floats; integers and opaque bytes may well repeat.
bool writes(const UnitType& unit, Profile profile) { return profile == Profile::fast || unit.exponent_bits == 0; }
bool no_parameter(const UnitType&, std::uint8_t parameter) { return parameter == 0; }

bool encode(const BlockValues& values, const ModelEncoder*, std::uint64_t limit, std::uint8_t&, Bytes& out) {
  thread_local Bytes room;  // stays from block to block
  if (room.size() < values.new_values.size()) room.resize(values.new_values.size());
  const MutableByteSpan residuals = MutableByteSpan(room).first(values.new_values.size());
  kernels().residuals(values.unit, values.old_values.data(), values.new_values.data(), values.count(), residuals.data());
  write_planes(residuals, values.unit.bytes, PlaneCodec::lz4, out);
  return out.size() < limit;
}

std::optional<std::uint64_t> decode(ByteSpan payload, std::uint8_t, const UnitType& unit, const ModelDecoder*, ByteSpan old_values,
                                    MutableByteSpan new_values, const BlockPlace& place) {
  if (!read_planes(payload, unit.bytes, PlaneCodec::lz4, new_values)) place.fail("the planes of the values are malformed");
  return kernels().apply(unit, old_values.data(), new_values.data(), old_values.size() / unit.bytes);
}

}  // namespace

constinit const ValueCoder kPlanesCoder = {4, "planes", false, writes, no_parameter, nullptr, encode, decode};

}  // namespace dstore
