#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dstore {

/// Contents (not paths) of a model's tokenizer files; `where` names the model in messages.
struct TokenizerFiles {
  std::string where;
  std::optional<std::string> tokenizer_json;         ///< preferred
  std::optional<std::string> vocab_txt;              ///< else this,
  std::optional<std::string> tokenizer_config_json;  ///< with these settings (BERT's defaults where absent)
};

/// One text or pair as the model reads it. Attention is 1 for all of it: padding is made in the batch.
struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> type_ids;

  std::size_t size() const { return ids.size(); }
  friend bool operator==(const Encoding&, const Encoding&) = default;
};

enum class Truncation { longest_first, only_first, only_second };

/// BERT's tokenizer, equal id by id to the `tokenizers` package: added tokens, BertNormalizer, BertPreTokenizer,
/// WordPiece, BertProcessing or TemplateProcessing. The Unicode tables are those of that package (unicode_tables.inc).
/// Immutable; encode() may be called from many threads.
class WordPieceTokenizer {
 public:
  /// Error{not_found} without tokenizer.json and vocab.txt, {unsupported} naming the component that is not BERT's,
  /// {corrupt} for malformed files. The truncation and padding of a tokenizer.json are ignored: the caller's count.
  static WordPieceTokenizer load(const TokenizerFiles& files);

  WordPieceTokenizer(WordPieceTokenizer&&) noexcept;
  WordPieceTokenizer& operator=(WordPieceTokenizer&&) noexcept;
  ~WordPieceTokenizer();

  /// At most `max_length` tokens with the special ones; 0: no limit. Error{invalid_argument} where text is not UTF-8 or
  /// cannot be truncated to that length.
  Encoding encode(std::string_view text, std::size_t max_length = 0,
                  Truncation truncation = Truncation::longest_first) const;
  Encoding encode_pair(std::string_view text, std::string_view pair, std::size_t max_length = 0,
                       Truncation truncation = Truncation::longest_first) const;

  std::int32_t pad_id() const;       ///< id of the padding token ("[PAD]" or as configured), 0 if there is none
  std::size_t vocabulary_size() const;  ///< highest id + 1: must not exceed the rows of the word embedding
  /// `model_max_length` of tokenizer_config.json if it is a usable number.
  std::optional<std::size_t> model_max_length() const;
  std::optional<std::int32_t> find(std::string_view token) const;

 private:
  struct Parts;
  explicit WordPieceTokenizer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace dstore
