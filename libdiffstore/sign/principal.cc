#include "sign/principal.h"

#include <algorithm>

#include "base/bytes.h"

namespace dstore {
namespace {

constexpr std::size_t kLongest = 255;

bool is_plain_byte(char c) {
  auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f && std::string_view("\"',*?!#\\").find(c) == std::string_view::npos;
}

// Linear in memory and O(text * pattern) in time: on a mismatch only the last '*' takes one more character.
bool matches_pattern(std::string_view text, std::string_view pattern) {
  std::size_t t = 0, p = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace

bool is_plain_principal(std::string_view text) {
  return !text.empty() && text.size() <= kLongest && std::ranges::all_of(text, is_plain_byte) && printable(text) == text;
}

std::string plain_principal(std::string_view text) {
  std::string out(text.substr(0, kLongest));
  std::ranges::replace_if(out, [](char c) { return !is_plain_byte(c); }, '_');
  if (out.empty()) return "unknown";
  if (!is_plain_principal(out)) std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '_');
  return out;
}

std::string principal_from_author(std::string_view author) {
  std::size_t begin = author.rfind('<');
  std::size_t end = author.rfind('>');
  if (begin != std::string_view::npos && end != std::string_view::npos && begin + 1 < end)
    author = author.substr(begin + 1, end - begin - 1);
  return plain_principal(author);
}

bool matches_pattern_list(std::string_view text, std::string_view patterns) {
  bool matched = false;
  while (true) {
    std::size_t comma = patterns.find(',');
    std::string_view pattern = patterns.substr(0, comma);
    bool refuses = pattern.starts_with('!');
    if (refuses) pattern.remove_prefix(1);
    if (matches_pattern(text, pattern)) {
      if (refuses) return false;
      matched = true;
    }
    if (comma == std::string_view::npos) return matched;
    patterns.remove_prefix(comma + 1);
  }
}

}  // namespace dstore
