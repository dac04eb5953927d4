#include "trainer/text/bert_normalizer.h"

#include <algorithm>

#include "trainer/text/unicode.h"

namespace dstore {
namespace {

std::u32string cleaned(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    const std::uint8_t flags = unicode_flags(c);
    if (!(flags & kControl)) out.push_back(flags & kSpace ? U' ' : c);
  }
  return out;
}

std::u32string with_cjk_apart(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    if (unicode_flags(c) & kCjk) {
      out.append({U' ', c, U' '});
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

std::u32string BertNormalizer::operator()(std::u32string_view text) const {
  std::u32string out(text);
  if (clean_text) out = cleaned(out);
  const bool ascii = std::all_of(out.begin(), out.end(), [](char32_t c) { return c < 0x80; });
  if (handle_chinese_chars && !ascii) out = with_cjk_apart(out);
  if (strip_accents && !ascii) {
    out = decomposed(out);
    std::erase_if(out, [](char32_t c) { return unicode_flags(c) & kNonspacing; });
  }
  if (lowercase) {
    std::u32string lower;
    lower.reserve(out.size());
    for (const char32_t c : out) append_lower(lower, c);
    out = std::move(lower);
  }
  return out;
}

std::vector<std::u32string_view> split_words(std::u32string_view text) {
  std::vector<std::u32string_view> words;
  std::size_t start = 0;
  const auto end_word = [&](std::size_t end) {
    if (end > start) words.push_back(text.substr(start, end - start));
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::uint8_t flags = unicode_flags(text[i]);
    if (!(flags & (kSpace | kPunctuation))) continue;
    end_word(i);
    if (!(flags & kSpace)) words.push_back(text.substr(i, 1));
    start = i + 1;
  }
  end_word(text.size());
  return words;
}

}  // namespace dstore
