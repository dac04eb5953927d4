#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dstore {

/// BertNormalizer of the `tokenizers` package, steps in this order.
struct BertNormalizer {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;

  std::u32string operator()(std::u32string_view text) const;
};

/// BertPreTokenizer: words between whitespace, each punctuation mark a word of its own. Views into `text`.
std::vector<std::u32string_view> split_words(std::u32string_view text);

}  // namespace dstore
