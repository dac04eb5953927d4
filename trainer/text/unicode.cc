#include "trainer/text/unicode.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

struct FlagRange {
  char32_t first, last;
  std::uint8_t value;
};
struct Mapping {
  char32_t from;
  std::uint16_t offset;
  std::uint8_t length;
};

#include "trainer/text/unicode_tables.inc"

std::uint8_t range_value(std::span<const FlagRange> ranges, char32_t c) {
  const auto it = std::lower_bound(ranges.begin(), ranges.end(), c,
                                   [](const FlagRange& range, char32_t value) { return range.last < value; });
  return it != ranges.end() && it->first <= c ? it->value : std::uint8_t{0};
}

void append_mapped(std::u32string& out, char32_t c, std::span<const Mapping> mappings, const char32_t* text) {
  const auto it = std::lower_bound(mappings.begin(), mappings.end(), c,
                                   [](const Mapping& mapping, char32_t value) { return mapping.from < value; });
  if (it != mappings.end() && it->from == c) {
    out.append(text + it->offset, it->length);
  } else {
    out.push_back(c);
  }
}

/// Flags of the first code points, which are most of any text.
constexpr std::size_t kDirect = 0x300;
std::array<std::uint8_t, kDirect> direct_flags() {
  std::array<std::uint8_t, kDirect> out{};
  for (std::size_t c = 0; c < kDirect; ++c) out[c] = range_value(kFlags, static_cast<char32_t>(c));
  return out;
}

// Hangul syllables decompose by arithmetic (Unicode Standard, section 3.12).
constexpr char32_t kSyllables = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11A7;
constexpr char32_t kVowels = 21, kTails = 28, kSyllableCount = 19 * kVowels * kTails;

}  // namespace

std::uint8_t unicode_flags(char32_t c) {
  static const std::array<std::uint8_t, kDirect> direct = direct_flags();
  return c < kDirect ? direct[c] : range_value(kFlags, c);
}

std::uint8_t combining_class(char32_t c) { return c < 0x300 ? std::uint8_t{0} : range_value(kCombining, c); }

void append_lower(std::u32string& out, char32_t c) {
  if (c < 0x80) {
    out.push_back(c >= U'A' && c <= U'Z' ? c + 32 : c);
  } else {
    append_mapped(out, c, kLower, kLowerText);
  }
}

void append_decomposed(std::u32string& out, char32_t c) {
  if (c < 0xC0) {
    out.push_back(c);
  } else if (c >= kSyllables && c < kSyllables + kSyllableCount) {
    const char32_t s = c - kSyllables;
    out.push_back(kLead + s / (kVowels * kTails));
    out.push_back(kVowel + s % (kVowels * kTails) / kTails);
    if (s % kTails != 0) out.push_back(kTail + s % kTails);
  } else {
    append_mapped(out, c, kDecompose, kDecomposeText);
  }
}

std::u32string decomposed(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size() + text.size() / 8);
  for (const char32_t c : text) append_decomposed(out, c);
  const auto is_mark = [](char32_t c) { return combining_class(c) != 0; };
  for (auto it = std::find_if(out.begin(), out.end(), is_mark); it != out.end();) {
    const auto end = std::find_if_not(it, out.end(), is_mark);
    std::stable_sort(it, end, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    it = std::find_if(end, out.end(), is_mark);
  }
  return out;
}

std::u32string decode_utf8(std::string_view text, std::string_view what) {
  if (!is_utf8(text)) throw Error(ErrorCode::invalid_argument, std::string(what) + " is not UTF-8");
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const int more = byte < 0x80 ? 0 : byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    char32_t c = more == 0 ? byte : byte & (0x3Fu >> more);
    for (int k = 1; k <= more; ++k) c = c << 6 | (static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]) & 0x3Fu);
    out.push_back(c);
    i += static_cast<std::size_t>(more) + 1;
  }
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  const auto tail = [&](int shift) { out.push_back(static_cast<char>(0x80 | (c >> shift & 0x3F))); };
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | c >> 6));
    tail(0);
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | c >> 12));
    tail(6), tail(0);
  } else {
    out.push_back(static_cast<char>(0xF0 | c >> 18));
    tail(12), tail(6), tail(0);
  }
}

}  // namespace dstore
