#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dstore/id.h"

namespace dstore {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;
using Bytes = std::vector<std::byte>;

inline ByteSpan as_bytes(std::string_view text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }
inline std::string_view as_text(ByteSpan bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Bounded little-endian reader: the only parser of untrusted bytes. Every read past the end throws
/// Error{corrupt} with the object's name and the offset. Keeps a view; the bytes must outlive it.
class Reader {
 public:
  Reader(ByteSpan bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  std::uint64_t u64();
  /// Error{corrupt} where it is all zero, which names nothing.
  ObjectId id();
  ObjectId id_or_none();
  ByteSpan bytes(std::uint64_t count);
  std::string_view text(std::uint64_t count) { return as_text(bytes(count)); }
  std::string_view sized_text() { return text(u32()); }

  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return bytes_.size() - offset_; }
  /// Throws unless every byte was read.
  void expect_end() const;
  /// Throws Error{corrupt}: "WHAT: MESSAGE at byte OFFSET".
  [[noreturn]] void fail(std::string_view message) const;

 private:
  ByteSpan bytes_;
  std::string what_;
  std::size_t offset_ = 0;
};

/// Appends little-endian fields to an owned buffer.
class Writer {
 public:
  void u8(std::uint8_t value);
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void u64(std::uint64_t value);
  void id(const ObjectId& id) { bytes(id.bytes()); }
  void bytes(ByteSpan bytes);
  void text(std::string_view text) { bytes(as_bytes(text)); }
  /// Its length in four bytes first.
  void sized_text(std::string_view text);
  /// Overwrites four bytes written earlier (a length that is known only afterwards).
  void patch_u32(std::size_t offset, std::uint32_t value);

  std::size_t size() const { return out_.size(); }
  const Bytes& data() const { return out_; }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

/// a + b and a * b for sizes from outside; throw Error{corrupt} naming `what` on overflow of 64 bits.
std::uint64_t checked_add(std::uint64_t a, std::uint64_t b, std::string_view what);
std::uint64_t checked_mul(std::uint64_t a, std::uint64_t b, std::string_view what);

/// Strict UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
bool is_utf8(std::string_view text);

/// Text for a terminal: control bytes, escape sequences, bidirectional controls and invalid UTF-8 become \xNN.
std::string printable(std::string_view text);

}  // namespace dstore
