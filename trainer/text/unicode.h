#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dstore {

/// What BERT's tokenizer asks of a code point, as the `tokenizers` package answers it (unicode_tables.inc).
enum UnicodeFlag : std::uint8_t {
  kControl = 1,      ///< removed by clean_text
  kSpace = 2,        ///< separates words
  kPunctuation = 4,  ///< a word of its own
  kNonspacing = 8,   ///< removed by strip_accents
  kWord = 16,        ///< \w beside a single_word token
  kCjk = 32,         ///< set apart by handle_chinese_chars
};

std::uint8_t unicode_flags(char32_t c);
std::uint8_t combining_class(char32_t c);
/// Full lower case of one character, without context (no final sigma).
void append_lower(std::u32string& out, char32_t c);
/// Full canonical decomposition of one character, marks not yet in order.
void append_decomposed(std::u32string& out, char32_t c);
/// Canonical decomposition with marks in canonical order.
std::u32string decomposed(std::u32string_view text);

/// Error{invalid_argument} naming `what` unless `text` is strict UTF-8.
std::u32string decode_utf8(std::string_view text, std::string_view what);
void append_utf8(std::string& out, char32_t c);

}  // namespace dstore
