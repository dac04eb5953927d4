#pragma once

#include "base/bytes.h"

namespace dstore {

/// What a byte plane is compressed with (spec/segment.md, "Planes").
enum class PlaneCodec { lz4, byte_code };

/// The bytes of `units` (a whole number of `width` bytes each) plane by plane: a size for each plane, then the planes, each
/// compressed where that saves at least `least_gain` bytes. Replaces `out`.
void write_planes(ByteSpan units, unsigned width, PlaneCodec codec, Bytes& out, std::size_t least_gain = 1);

/// The reverse, from exactly `payload` into exactly `units`. False if `payload` is malformed.
[[nodiscard]] bool read_planes(ByteSpan payload, unsigned width, PlaneCodec codec, MutableByteSpan units);

}  // namespace dstore
