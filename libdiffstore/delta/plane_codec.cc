#include "delta/plane_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <type_traits>

#include "delta/bits.h"
#include "delta/byte_huffman.h"
#include "delta/element.h"

namespace dstore {

using namespace planes;

namespace {

constexpr std::size_t kStrip = 64;  // elements at a time, in registers and the first cache
constexpr unsigned kMaxUnit = 8;

using FullStrip = std::integral_constant<std::size_t, kStrip>;  // a count that the compiler knows

using PlanePointers = std::array<const std::byte*, kMaxUnit>;

/// Both directions for elements of type T: plane k holds bits 8k..8k+7 of each, after the rotation.
template <typename T>
struct Elements {
  template <typename Count>
  static void split_strip(const std::byte* from, Count count, bool rotated, std::byte* to, std::size_t plane_size) {
    T words[kStrip];
    for (std::size_t i = 0; i < count; ++i) words[i] = load_le<T>(from + i * sizeof(T));
    if (rotated) {
      for (std::size_t i = 0; i < count; ++i) words[i] = std::rotl(words[i], 1);
    }
    for (unsigned k = 0; k < sizeof(T); ++k) {
      std::uint8_t plane[kStrip];
      for (std::size_t i = 0; i < count; ++i) plane[i] = static_cast<std::uint8_t>(words[i] >> (8 * k));
      std::memcpy(to + k * plane_size, plane, count);
    }
  }

  template <typename Count>
  static void merge_strip(const PlanePointers& planes, std::size_t at, Count count, bool rotated, std::byte* to) {
    T words[kStrip];
    for (std::size_t i = 0; i < count; ++i) words[i] = std::to_integer<std::uint8_t>(planes[0][at + i]);
    for (unsigned k = 1; k < sizeof(T); ++k) {
      const std::byte* plane = planes[k] + at;
      for (std::size_t i = 0; i < count; ++i) words[i] |= static_cast<T>(static_cast<T>(std::to_integer<std::uint8_t>(plane[i])) << (8 * k));
    }
    if (rotated) {
      for (std::size_t i = 0; i < count; ++i) words[i] = std::rotr(words[i], 1);
    }
    for (std::size_t i = 0; i < count; ++i) store_le<T>(to + i * sizeof(T), words[i]);
  }

  static void split(ByteSpan raw, bool rotated, std::byte* to) {
    const std::size_t count = raw.size() / sizeof(T);
    std::size_t at = 0;
    for (; at + kStrip <= count; at += kStrip) split_strip(raw.data() + at * sizeof(T), FullStrip{}, rotated, to + at, count);
    split_strip(raw.data() + at * sizeof(T), count - at, rotated, to + at, count);
  }

  static void merge(const PlanePointers& planes, bool rotated, MutableByteSpan raw) {
    const std::size_t count = raw.size() / sizeof(T);
    std::size_t at = 0;
    for (; at + kStrip <= count; at += kStrip) merge_strip(planes, at, FullStrip{}, rotated, raw.data() + at * sizeof(T));
    merge_strip(planes, at, count - at, rotated, raw.data() + at * sizeof(T));
  }
};

struct UnitRow {
  unsigned bytes;
  void (*split)(ByteSpan raw, bool rotated, std::byte* to);
  void (*merge)(const PlanePointers& planes, bool rotated, MutableByteSpan raw);
};

constexpr UnitRow kUnits[] = {
    {1, Elements<std::uint8_t>::split, Elements<std::uint8_t>::merge},
    {2, Elements<std::uint16_t>::split, Elements<std::uint16_t>::merge},
    {4, Elements<std::uint32_t>::split, Elements<std::uint32_t>::merge},
    {8, Elements<std::uint64_t>::split, Elements<std::uint64_t>::merge},
};

const UnitRow* find_unit(unsigned bytes) {
  const auto row = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const UnitRow& each) { return each.bytes == bytes; });
  return row == std::end(kUnits) ? nullptr : row;
}

void append_u32(Bytes& out, std::size_t value) {
  std::byte field[4];
  store_le(field, static_cast<std::uint32_t>(value));
  out.insert(out.end(), field, field + sizeof field);
}

void append_plane(Bytes& out, ByteSpan plane) {
  const ByteEncoder encoder(plane);
  if (encoder.size() <= plane.size() - (plane.size() + kGain - 1) / kGain) {
    append_u32(out, encoder.size());
    encoder.append_to(out);
  } else {
    append_u32(out, plane.size());
    out.insert(out.end(), plane.begin(), plane.end());
  }
}

}  // namespace

PlaneLayout plane_layout(DType dtype) {
  const UnitType& unit = unit_type(dtype);
  return {unit.bytes, unit.exponent_bits != 0};
}

Bytes encode_planes(PlaneLayout layout, ByteSpan raw) {
  const UnitRow& unit = *find_unit(layout.unit);
  Bytes out;
  out.reserve(raw.size());
  out.push_back(static_cast<std::byte>(unit.bytes));
  out.push_back(static_cast<std::byte>(layout.rotated ? 1 : 0));
  const std::size_t whole = raw.size() - raw.size() % unit.bytes;
  Bytes split(std::min(whole, kBlock));
  for (std::size_t at = 0; at < whole; at += kBlock) {
    const ByteSpan block = raw.subspan(at, std::min(kBlock, whole - at));
    unit.split(block, layout.rotated, split.data());
    const std::size_t count = block.size() / unit.bytes;
    for (unsigned k = 0; k < unit.bytes; ++k) append_plane(out, ByteSpan(split).subspan(k * count, count));
  }
  out.insert(out.end(), raw.begin() + static_cast<std::ptrdiff_t>(whole), raw.end());
  if (out.size() >= raw.size()) out.clear();
  return out;
}

void decode_planes(ByteSpan stored, MutableByteSpan raw, std::string_view what) {
  Reader reader(stored, what);
  const UnitRow* unit = find_unit(reader.u8());
  const std::uint8_t rotation = reader.u8();
  if (unit == nullptr || rotation > 1 || (rotation == 1 && unit->bytes == 1)) reader.fail("unknown layout of planes");
  const std::size_t whole = raw.size() - raw.size() % unit->bytes;
  Bytes decoded(std::min(whole, kBlock));
  for (std::size_t at = 0; at < whole; at += kBlock) {
    const MutableByteSpan block = raw.subspan(at, std::min(kBlock, whole - at));
    const std::size_t count = block.size() / unit->bytes;
    PlanePointers planes{};
    for (unsigned k = 0; k < unit->bytes; ++k) {
      const std::uint32_t size = reader.u32();
      if (size > count) reader.fail("a plane is larger than what it stands for");
      const ByteSpan coded = reader.bytes(size);
      planes[k] = coded.data();
      if (size == count) continue;
      const MutableByteSpan plane = MutableByteSpan(decoded).subspan(k * count, count);
      if (const std::string_view problem = decode_bytes(coded, plane); !problem.empty()) reader.fail(problem);
      planes[k] = plane.data();
    }
    unit->merge(planes, rotation == 1, block);
  }
  const ByteSpan tail = reader.bytes(raw.size() - whole);
  std::copy(tail.begin(), tail.end(), raw.begin() + static_cast<std::ptrdiff_t>(whole));
  reader.expect_end();
}

}  // namespace dstore
