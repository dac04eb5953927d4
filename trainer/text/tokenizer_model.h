#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "trainer/text/added_tokens.h"
#include "trainer/text/bert_normalizer.h"
#include "trainer/text/wordpiece.h"

namespace dstore {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};
using Vocabulary = std::unordered_map<std::string, std::int32_t, TextHash, std::equal_to<>>;

/// One piece of what is put around the texts: special ids, or a text itself.
struct TemplatePiece {
  enum class Kind { special, first, second } kind = Kind::special;
  std::vector<std::int32_t> ids;  ///< special only
  std::int32_t type_id = 0;
};
using Template = std::vector<TemplatePiece>;

/// What tokenizer files say, before it is checked as a whole and made ready for use.
struct TokenizerModel {
  BertNormalizer normalizer;
  Vocabulary vocabulary;
  std::string unknown = "[UNK]";
  std::string continuing_prefix = "##";
  std::size_t max_chars_per_word = 100;
  std::vector<AddedToken> added;  ///< id -1: the vocabulary's, or the next free one
  Template single, pair;
  std::string pad = "[PAD]";
  std::optional<std::size_t> model_max_length;
};

/// Reads either tokenizer.json or vocab.txt with tokenizer_config.json; errors as WordPieceTokenizer::load.
TokenizerModel read_tokenizer_model(const TokenizerFiles& files);

}  // namespace dstore
