#pragma once

#include <string_view>

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// Constants of spec/planes.md.
namespace planes {
inline constexpr std::size_t kMaxInput = 4u << 20;
inline constexpr std::size_t kBlock = 512u << 10;  ///< bytes of a tensor that are coded together
inline constexpr std::size_t kGain = 64;         ///< the writer codes a plane where that saves at least 1/64 of it
}  // namespace planes

/// What the bytes of a tensor are, as far as it helps to code them.
struct PlaneLayout {
  unsigned unit = 1;     ///< bytes of an element: 1, 2, 4 or 8
  bool rotated = false;  ///< floats: the sign goes to the low end, so that the exponent is alone in the top byte
};
PlaneLayout plane_layout(DType dtype);

/// Tensor bytes taken apart into planes, one for each byte of an element; those that have little entropy, like the exponents of
/// floats, in the byte code (spec/planes.md). Empty where that would not be smaller. At most kMaxInput bytes.
Bytes encode_planes(PlaneLayout layout, ByteSpan raw);

/// Decodes into exactly raw.size() bytes; Error{corrupt} naming `what` if `stored` gives anything else.
void decode_planes(ByteSpan stored, MutableByteSpan raw, std::string_view what);

}  // namespace dstore
