#pragma once

#include <limits>

#include "base/bytes.h"
#include "dstore/error.h"

// The data types of RFC 4251, section 5: uint32 is big-endian, a string is its uint32 length and its bytes.
namespace dstore::ssh_wire {

inline std::uint32_t read_u32(Reader& reader) {
  std::uint32_t value = 0;
  for (std::byte byte : reader.bytes(4)) value = value << 8 | std::to_integer<std::uint32_t>(byte);
  return value;
}

inline ByteSpan read_string(Reader& reader) { return reader.bytes(read_u32(reader)); }
inline std::string_view read_text(Reader& reader) { return as_text(read_string(reader)); }

inline void append(Bytes& out, ByteSpan bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

inline void append_u32(Bytes& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::byte>(value >> shift));
}

inline void append_string(Bytes& out, ByteSpan bytes) {
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max())
    throw Error(ErrorCode::invalid_argument, "an SSH string cannot be longer than 4 GiB");
  append_u32(out, static_cast<std::uint32_t>(bytes.size()));
  append(out, bytes);
}
inline void append_string(Bytes& out, std::string_view text) { append_string(out, as_bytes(text)); }

}  // namespace dstore::ssh_wire
