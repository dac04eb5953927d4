#include "delta/chunk_codec.h"

#include <algorithm>
#include <bit>

#include "delta/bits.h"
#include "delta/element.h"
#include "delta/planes.h"

namespace dstore {

using namespace chunk_code;

namespace {

/// Rotates each of the `count` elements at `at`: to the left if `by` is positive.
template <typename T>
void rotate(std::byte* at, std::size_t count, int by) {
  for (std::size_t i = 0; i < count; ++i) store_le(at + i * sizeof(T), std::rotl(load_le<T>(at + i * sizeof(T)), by));
}

struct UnitRow {
  unsigned bytes;
  void (*rotate)(std::byte* at, std::size_t count, int by);
};

constexpr UnitRow kUnits[] = {{1, nullptr}, {2, rotate<std::uint16_t>}, {4, rotate<std::uint32_t>}, {8, rotate<std::uint64_t>}};

const UnitRow* find_unit(unsigned bytes) {
  const auto row = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const UnitRow& each) { return each.bytes == bytes; });
  return row == std::end(kUnits) ? nullptr : row;
}

}  // namespace

ChunkLayout chunk_layout(DType dtype) {
  const UnitType& unit = unit_type(dtype);
  return {unit.bytes, unit.exponent_bits != 0};
}

Bytes encode_chunk(ChunkLayout layout, ByteSpan raw) {
  const UnitRow& unit = *find_unit(layout.unit);
  const std::size_t whole = raw.size() - raw.size() % unit.bytes;
  Writer out;
  out.u8(static_cast<std::uint8_t>(unit.bytes));
  out.u8(layout.rotated ? 1 : 0);
  Bytes turned;
  Bytes planes;
  for (std::size_t at = 0; at < whole; at += kBlock) {
    ByteSpan block = raw.subspan(at, std::min(kBlock, whole - at));
    const std::size_t count = block.size() / unit.bytes;
    if (layout.rotated) {
      turned.assign(block.begin(), block.end());
      unit.rotate(turned.data(), count, 1);
      block = turned;
    }
    write_planes(block, unit.bytes, PlaneCodec::byte_code, planes, 1 + count / kLeastGain);
    out.u32(static_cast<std::uint32_t>(planes.size()));
    out.bytes(planes);
    if (out.size() >= raw.size()) return {};
  }
  out.bytes(raw.subspan(whole));
  return out.size() < raw.size() ? out.take() : Bytes();
}

void decode_chunk(ByteSpan stored, MutableByteSpan raw, std::string_view what) {
  Reader reader(stored, what);
  const UnitRow* unit = find_unit(reader.u8());
  const std::uint8_t rotation = reader.u8();
  if (unit == nullptr || rotation > 1 || (rotation == 1 && unit->rotate == nullptr)) reader.fail("unknown layout of planes");
  const std::size_t whole = raw.size() - raw.size() % unit->bytes;
  for (std::size_t at = 0; at < whole; at += kBlock) {
    const MutableByteSpan block = raw.subspan(at, std::min(kBlock, whole - at));
    const ByteSpan planes = reader.bytes(reader.u32());
    if (!read_planes(planes, unit->bytes, PlaneCodec::byte_code, block)) reader.fail("the planes before are malformed");
    if (rotation == 1) unit->rotate(block.data(), block.size() / unit->bytes, -1);
  }
  const ByteSpan tail = reader.bytes(raw.size() - whole);
  std::copy(tail.begin(), tail.end(), raw.begin() + static_cast<std::ptrdiff_t>(whole));
  reader.expect_end();
}

}  // namespace dstore
