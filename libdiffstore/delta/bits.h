#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace dstore {

template <std::unsigned_integral T>
T load_le(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::endian::native == std::endian::big) {
    T swapped = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) swapped = static_cast<T>((swapped << 8) | ((value >> (8 * i)) & 0xff));
    return swapped;
  }
  return value;
}

template <std::unsigned_integral T>
void store_le(std::byte* to, T value) {
  if constexpr (std::endian::native == std::endian::big) {
    for (std::size_t i = 0; i < sizeof value; ++i) to[i] = static_cast<std::byte>((value >> (8 * i)) & 0xff);
  } else {
    std::memcpy(to, &value, sizeof value);
  }
}

/// Appends bits to `out`, from the least significant of each byte on; finish() pads the last byte with zeros.
/// Between construction and finish() `out` belongs to the writer.
class BitWriter {
 public:
  explicit BitWriter(Bytes& out) : out_(out), at_(out.size()) {}

  /// The low `count` bits of `value`, whose other bits are zero; count <= 64.
  void put(std::uint64_t value, unsigned count) {
    if (count > 32) {
      put_short(value & 0xffffffffu, 32);
      value >>= 32;
      count -= 32;
    }
    put_short(value, count);
  }
  void put_zeros(std::uint64_t count) {
    for (; count > 32; count -= 32) put_short(0, 32);
    put_short(0, static_cast<unsigned>(count));
  }
  void finish() {
    out_.resize(at_ + (filled_ + 7) / 8);
    for (; at_ < out_.size(); ++at_, hold_ >>= 8) out_[at_] = static_cast<std::byte>(hold_ & 0xff);
  }

 private:
  void put_short(std::uint64_t value, unsigned count) {  // count <= 32
    hold_ |= value << filled_;
    filled_ += count;
    if (filled_ < 32) return;
    if (at_ + 4 > out_.size()) out_.resize(at_ + kGrowth);
    store_le(out_.data() + at_, static_cast<std::uint32_t>(hold_));
    at_ += 4;
    hold_ >>= 32;
    filled_ -= 32;
  }

  static constexpr std::size_t kGrowth = 4096;  // the vector itself grows by doubling

  Bytes& out_;
  std::size_t at_;
  std::uint64_t hold_ = 0;
  unsigned filled_ = 0;
};

/// The reverse of BitWriter. Bits past the end read as zero; ended_exactly() tells afterwards whether that happened.
class BitReader {
 public:
  explicit BitReader(ByteSpan bytes) : bytes_(bytes) {}

  /// At least 57 bits from the cursor on, in the low end.
  std::uint64_t peek() const {
    const std::size_t at = static_cast<std::size_t>(bit_ >> 3);
    if (at + 8 <= bytes_.size()) return load_le<std::uint64_t>(bytes_.data() + at) >> (bit_ & 7);
    std::uint64_t tail = 0;
    for (std::size_t i = at; i < bytes_.size(); ++i) tail |= std::to_integer<std::uint64_t>(bytes_[i]) << (8 * (i - at));
    return tail >> (bit_ & 7);
  }
  void skip(unsigned count) { bit_ += count; }
  /// count <= 64.
  std::uint64_t get(unsigned count) {
    if (count > 32) {
      const std::uint64_t low = get(32);
      return low | get(count - 32) << 32;
    }
    const std::uint64_t value = peek() & ((std::uint64_t{1} << count) - 1);
    bit_ += count;
    return value;
  }
  std::uint64_t position() const { return bit_; }

  /// Whether the cursor stands in or at the end of the last byte and only zero bits follow.
  bool ended_exactly() const { return (bit_ + 7) / 8 == bytes_.size() && (bit_ % 8 == 0 || peek() == 0); }

 private:
  ByteSpan bytes_;
  std::uint64_t bit_ = 0;
};

}  // namespace dstore
