#include "delta/planes.h"

#include <lz4.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "delta/bits.h"
#include "delta/byte_huffman.h"
#include "delta/kernels.h"

namespace dstore {
namespace {

constexpr std::size_t kSizeField = 4;
constexpr int kLz4Acceleration = 4;

bool is_zero(ByteSpan bytes) {
  return bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

/// Appends `plane` compressed; leaves `out` alone if that does not save `least_gain` bytes.
void compress(ByteSpan plane, PlaneCodec codec, std::size_t least_gain, Bytes& out) {
  if (plane.size() <= least_gain) return;
  const std::size_t begin = out.size();
  const std::size_t limit = plane.size() - least_gain;
  if (codec == PlaneCodec::byte_code) {
    const ByteEncoder encoder(plane);
    if (encoder.size() <= limit) encoder.append_to(out);
    return;
  }
  out.resize(begin + limit);
  const int size = LZ4_compress_fast(reinterpret_cast<const char*>(plane.data()), reinterpret_cast<char*>(out.data() + begin),
                                     static_cast<int>(plane.size()), static_cast<int>(limit), kLz4Acceleration);
  out.resize(begin + static_cast<std::size_t>(std::max(size, 0)));
}

bool decompress(ByteSpan coded, PlaneCodec codec, MutableByteSpan plane) {
  if (codec == PlaneCodec::byte_code) return decode_bytes(coded, plane).empty();
  const int size = LZ4_decompress_safe(reinterpret_cast<const char*>(coded.data()), reinterpret_cast<char*>(plane.data()),
                                       static_cast<int>(coded.size()), static_cast<int>(plane.size()));
  return size >= 0 && static_cast<std::size_t>(size) == plane.size();
}

/// Room that stays from block to block.
std::byte* scratch(std::size_t size) {
  thread_local Bytes room;
  if (room.size() < size) room.resize(size);
  return room.data();
}

}  // namespace

void write_planes(ByteSpan units, unsigned width, PlaneCodec codec, Bytes& out, std::size_t least_gain) {
  const std::size_t count = units.size() / width;
  std::byte* const planes = scratch(units.size());
  kernels().split(width, units.data(), count, planes);
  out.assign(kSizeField * width, std::byte{0});
  for (unsigned p = 0; p < width; ++p) {
    const ByteSpan plane(planes + p * count, count);
    if (is_zero(plane)) continue;
    const std::size_t begin = out.size();
    compress(plane, codec, least_gain, out);
    if (out.size() == begin) out.insert(out.end(), plane.begin(), plane.end());
    store_le(&out[kSizeField * p], static_cast<std::uint32_t>(out.size() - begin));
  }
}

bool read_planes(ByteSpan payload, unsigned width, PlaneCodec codec, MutableByteSpan units) {
  if (payload.size() < kSizeField * width) return false;
  const std::size_t count = units.size() / width;
  ByteSpan rest = payload.subspan(kSizeField * width);
  std::byte* const room = scratch(units.size());
  std::array<const std::byte*, 8> planes{};
  for (unsigned p = 0; p < width; ++p) {
    const std::uint32_t size = load_le<std::uint32_t>(&payload[kSizeField * p]);
    if (size > rest.size() || size > count) return false;
    const MutableByteSpan plane(room + p * count, count);
    planes[p] = plane.data();
    if (size == 0) {
      std::fill(plane.begin(), plane.end(), std::byte{0});
    } else if (size == count) {
      planes[p] = rest.data();
    } else if (!decompress(rest.first(size), codec, plane)) {
      return false;
    }
    rest = rest.subspan(size);
  }
  kernels().merge(width, planes.data(), count, units.data());
  return rest.empty();
}

}  // namespace dstore
