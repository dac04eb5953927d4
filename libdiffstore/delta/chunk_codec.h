#pragma once

#include <string_view>

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// Constants of spec/planes.md.
namespace chunk_code {
inline constexpr std::size_t kMaxInput = 4u << 20;
inline constexpr std::size_t kBlock = 512u << 10;  ///< bytes of a tensor that are coded together
inline constexpr std::size_t kLeastGain = 64;      ///< the writer compresses a plane where that saves at least 1/64 of it
}  // namespace chunk_code

/// What the bytes of a tensor are, as far as it helps to code them.
struct ChunkLayout {
  unsigned unit = 1;     ///< bytes of an element: 1, 2, 4 or 8
  bool rotated = false;  ///< floats: the sign goes to the low end, so that the top byte holds exponent bits alone
};
ChunkLayout chunk_layout(DType dtype);

/// A chunk of a tensor by byte planes, of which those with little entropy, like exponents, are in the byte code (spec/planes.md).
/// Empty where that would not be smaller. At most kMaxInput bytes; the same on every machine.
Bytes encode_chunk(ChunkLayout layout, ByteSpan raw);

/// Decodes into exactly raw.size() bytes; Error{corrupt} naming `what` if `stored` gives anything else.
void decode_chunk(ByteSpan stored, MutableByteSpan raw, std::string_view what);

}  // namespace dstore
