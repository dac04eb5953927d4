#include "base/bytes.h"

#include <bit>
#include <cstring>

#include "dstore/error.h"

namespace dstore {
namespace {

static_assert(std::endian::native == std::endian::little, "big-endian hosts need byte swaps in Reader and Writer");

template <typename T>
T load(ByteSpan bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// Length of the UTF-8 sequence at `text[at]` and its code point; 0 if malformed.
std::size_t decode_utf8(std::string_view text, std::size_t at, char32_t& code) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) {
    code = lead;
    return 1;
  }
  std::size_t length = 0;
  char32_t minimum = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2, minimum = 0x80, code = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3, minimum = 0x800, code = lead & 0x0F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4, minimum = 0x10000, code = lead & 0x07;
  } else {
    return 0;
  }
  if (text.size() - at < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
    code = (code << 6) | (byte(at + i) & 0x3F);
  }
  if (code < minimum || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return 0;
  return length;
}

bool is_unprintable(char32_t code) {
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return true;
  if (code >= 0x200B && code <= 0x200F) return true;  // zero width, direction marks
  if (code >= 0x2028 && code <= 0x202E) return true;  // line separators, embeddings, overrides
  return code >= 0x2066 && code <= 0x2069;            // isolates
}

}  // namespace

std::uint8_t Reader::u8() { return load<std::uint8_t>(bytes(1)); }
std::uint16_t Reader::u16() { return load<std::uint16_t>(bytes(2)); }
std::uint32_t Reader::u32() { return load<std::uint32_t>(bytes(4)); }
std::uint64_t Reader::u64() { return load<std::uint64_t>(bytes(8)); }
ObjectId Reader::id_or_none() { return ObjectId(bytes(ObjectId::kSize).first<ObjectId::kSize>()); }

ObjectId Reader::id() {
  const ObjectId id = id_or_none();
  if (id.is_none()) fail("no id");
  return id;
}

ByteSpan Reader::bytes(std::uint64_t count) {
  if (count > remaining()) fail("cut short: " + std::to_string(count) + " bytes wanted, " + std::to_string(remaining()) + " left");
  const ByteSpan out = bytes_.subspan(offset_, count);
  offset_ += count;
  return out;
}

void Reader::expect_end() const {
  if (remaining() != 0) fail(std::to_string(remaining()) + " unexpected bytes");
}

void Reader::fail(std::string_view message) const {
  throw Error(ErrorCode::corrupt, what_ + ": " + std::string(message) + " at byte " + std::to_string(offset_));
}

void Writer::bytes(ByteSpan bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

void Writer::u8(std::uint8_t value) { out_.push_back(std::byte{value}); }
void Writer::u16(std::uint16_t value) { bytes(std::as_bytes(std::span(&value, 1))); }
void Writer::u32(std::uint32_t value) { bytes(std::as_bytes(std::span(&value, 1))); }
void Writer::u64(std::uint64_t value) { bytes(std::as_bytes(std::span(&value, 1))); }
void Writer::sized_text(std::string_view content) {
  u32(static_cast<std::uint32_t>(content.size()));
  text(content);
}

void Writer::patch_u32(std::size_t offset, std::uint32_t value) { std::memcpy(out_.data() + offset, &value, sizeof value); }

std::uint64_t checked_add(std::uint64_t a, std::uint64_t b, std::string_view what) {
  std::uint64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) throw Error(ErrorCode::corrupt, std::string(what) + ": a size exceeds 64 bits");
  return sum;
}

std::uint64_t checked_mul(std::uint64_t a, std::uint64_t b, std::string_view what) {
  std::uint64_t product;
  if (__builtin_mul_overflow(a, b, &product)) throw Error(ErrorCode::corrupt, std::string(what) + ": a size exceeds 64 bits");
  return product;
}

bool is_utf8(std::string_view text) {
  char32_t code;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = decode_utf8(text, at, code);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string printable(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  char32_t code;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t plain = at;
    while (plain < text.size() && text[plain] >= 0x20 && text[plain] < 0x7F) ++plain;
    out += text.substr(at, plain - at);
    at = plain;
    if (at == text.size()) break;
    const std::size_t length = decode_utf8(text, at, code);
    if (length != 0 && !is_unprintable(code)) {
      out += text.substr(at, length);
      at += length;
      continue;
    }
    for (std::size_t end = at + (length == 0 ? 1 : length); at < end; ++at) {
      const auto byte = static_cast<unsigned char>(text[at]);
      out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

}  // namespace dstore
