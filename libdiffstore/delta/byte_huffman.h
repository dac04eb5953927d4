#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace dstore {

/// Constants of spec/byte_code.md.
namespace byte_code {
inline constexpr unsigned kMaxBits = 11;
inline constexpr std::size_t kStreams = 4;
inline constexpr std::size_t kSmall = 1 << 16;       ///< up to here a stream's size takes 2 bytes, above 4
inline constexpr std::size_t kMaxInput = 1u << 31;
}  // namespace byte_code

/// Codes bytes by one Huffman table and four streams (spec/byte_code.md). The size is known before anything is coded, so that a
/// caller can compare. Keeps a view; the bytes must outlive it. 1 to kMaxInput bytes; the same on every machine.
class ByteEncoder {
 public:
  explicit ByteEncoder(ByteSpan bytes);

  /// Exactly what append_to() appends; may be larger than the input.
  std::uint64_t size() const;
  void append_to(Bytes& out) const;

 private:
  std::size_t table_bytes() const;
  bool has_streams() const { return first_ != last_; }

  ByteSpan bytes_;
  unsigned first_ = 0;  ///< lowest and highest byte that occurs
  unsigned last_ = 0;
  std::array<std::uint8_t, 256> lengths_{};
  std::array<std::uint64_t, byte_code::kStreams> stream_bytes_{};
};

/// Decodes all of `coded` into exactly out.size() >= 1 bytes. Returns what is wrong with `coded` (then `out` is unspecified), or nothing.
[[nodiscard]] std::string_view decode_bytes(ByteSpan coded, MutableByteSpan out);

}  // namespace dstore
