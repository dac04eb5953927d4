#include "trainer/text/wordpiece.h"

#include <algorithm>

#include "base/bytes.h"
#include "dstore/error.h"
#include "trainer/text/tokenizer_model.h"
#include "trainer/text/unicode.h"

namespace dstore {

struct WordPieceTokenizer::Parts {
  TokenizerModel model;
  Vocabulary continuing;  ///< tokens with the continuing prefix, without it
  AddedTokenMatcher raw, normalized;
  Vocabulary added;  ///< id of every added token
  std::int32_t unknown_id = 0;
  std::size_t longest = 0;  ///< bytes of the longest token
  std::size_t size = 0;

  std::optional<std::int32_t> find(std::string_view token) const;
  void add_tokens(const std::string& where);
  void append_word(std::vector<std::int32_t>& ids, std::u32string_view word) const;
  std::vector<std::int32_t> text_ids(std::string_view text) const;
  Encoding assemble(const Template& pieces, const std::vector<std::int32_t>& first,
                    const std::vector<std::int32_t>& second) const;
};

namespace {

std::size_t special_count(const Template& pieces) {
  std::size_t count = 0;
  for (const TemplatePiece& piece : pieces) count += piece.ids.size();
  return count;
}

/// Cuts the two texts (the second may be absent) to `room` tokens together, as truncate_encodings of the package does.
void truncate(std::vector<std::int32_t>& first, std::vector<std::int32_t>* second, std::size_t room, Truncation truncation) {
  const std::size_t total = first.size() + (second ? second->size() : 0);
  if (total <= room) return;
  if (room == 0) {
    first.clear();
    if (second) second->clear();
    return;
  }
  if (truncation == Truncation::longest_first && second) {
    const bool swap = first.size() > second->size();
    std::size_t shorter = std::min(first.size(), second->size());
    std::size_t longer = shorter > room ? shorter : std::max(shorter, room - shorter);
    if (shorter + longer > room) {
      shorter = room / 2;
      longer = shorter + room % 2;
    }
    first.resize(std::min(first.size(), swap ? longer : shorter));
    second->resize(std::min(second->size(), swap ? shorter : longer));
    return;
  }
  if (truncation == Truncation::longest_first) {
    first.resize(room);
    return;
  }
  if (truncation == Truncation::only_second && !second) {
    throw Error(ErrorCode::invalid_argument, "truncation only_second needs a second text");
  }
  std::vector<std::int32_t>& target = truncation == Truncation::only_first ? first : *second;
  const std::size_t remove = total - room;
  if (target.size() <= remove) {
    throw Error(ErrorCode::invalid_argument, "the text to truncate has " + std::to_string(target.size()) +
                                                 " tokens, too few to take " + std::to_string(remove) +
                                                 " away: raise the maximum length or truncate longest_first");
  }
  target.resize(target.size() - remove);
}

std::size_t room_for(const Template& pieces, std::size_t max_length) {
  if (max_length == 0) return static_cast<std::size_t>(-1);
  const std::size_t special = special_count(pieces);
  if (max_length < special) {
    throw Error(ErrorCode::invalid_argument, "a maximum length of " + std::to_string(max_length) + " leaves no room for the " +
                                                 std::to_string(special) + " special tokens");
  }
  return max_length - special;
}

}  // namespace

std::optional<std::int32_t> WordPieceTokenizer::Parts::find(std::string_view token) const {
  if (const auto it = added.find(token); it != added.end()) return it->second;
  if (const auto it = model.vocabulary.find(token); it != model.vocabulary.end()) return it->second;
  return std::nullopt;
}

/// Ids in the order of the file: the vocabulary's, else the next free one; then the patterns, special tokens first.
void WordPieceTokenizer::Parts::add_tokens(const std::string& where) {
  std::vector<AddedToken> tokens = model.added;
  std::erase_if(tokens, [](const AddedToken& token) { return token.content.empty(); });
  auto next = static_cast<std::int32_t>(model.vocabulary.size());
  for (AddedToken& token : tokens) {
    const std::int32_t id = find(token.content).value_or(next);
    if (token.id >= 0 && token.id != id) {
      throw Error(ErrorCode::corrupt, where + ": added token " + printable(token.content) + " has id " +
                                          std::to_string(token.id) + ", but its place in the vocabulary is " +
                                          std::to_string(id));
    }
    token.id = id;
    added.insert_or_assign(token.content, id);
    next = std::max(next, id + 1);
    size = std::max(size, static_cast<std::size_t>(id) + 1);
  }
  std::stable_partition(tokens.begin(), tokens.end(), [](const AddedToken& token) { return token.special; });
  for (const AddedToken& token : tokens) {
    const std::u32string content = decode_utf8(token.content, where + ": added token");
    const std::u32string pattern = token.normalized ? model.normalizer(content) : content;
    if (pattern.empty()) {
      throw Error(ErrorCode::unsupported, where + ": added token " + printable(token.content) + " is empty when normalized");
    }
    (token.normalized ? normalized : raw).add(token, pattern);
  }
}

WordPieceTokenizer WordPieceTokenizer::load(const TokenizerFiles& files) {
  auto parts = std::make_unique<Parts>();
  parts->model = read_tokenizer_model(files);
  const TokenizerModel& model = parts->model;
  for (const auto& [token, id] : model.vocabulary) {
    parts->size = std::max(parts->size, static_cast<std::size_t>(id) + 1);
    parts->longest = std::max(parts->longest, token.size());
    if (token.starts_with(model.continuing_prefix)) parts->continuing.emplace(token.substr(model.continuing_prefix.size()), id);
  }
  const auto unknown = model.vocabulary.find(model.unknown);
  if (unknown == model.vocabulary.end()) {
    throw Error(ErrorCode::corrupt, files.where + ": the unknown token " + printable(model.unknown) + " is not in the vocabulary");
  }
  parts->unknown_id = unknown->second;

  parts->add_tokens(files.where);
  for (const Template* pieces : {&model.single, &model.pair}) {
    for (const TemplatePiece& piece : *pieces) {
      for (const std::int32_t id : piece.ids) parts->size = std::max(parts->size, static_cast<std::size_t>(id) + 1);
    }
  }
  return WordPieceTokenizer(std::move(parts));
}

void WordPieceTokenizer::Parts::append_word(std::vector<std::int32_t>& ids, std::u32string_view word) const {
  if (word.size() > model.max_chars_per_word) {
    ids.push_back(unknown_id);
    return;
  }
  std::string bytes;
  for (const char32_t c : word) append_utf8(bytes, c);
  const std::size_t before = ids.size();
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const Vocabulary& table = rest.size() == bytes.size() ? model.vocabulary : continuing;
    std::size_t end = rest.size();
    auto found = table.end();
    while (end > 0) {
      if (end <= longest) found = table.find(rest.substr(0, end));
      if (found != table.end()) break;
      do --end;
      while (end > 0 && (static_cast<unsigned char>(rest[end]) & 0xC0) == 0x80);
    }
    if (end == 0) {
      ids.resize(before);
      ids.push_back(unknown_id);
      return;
    }
    ids.push_back(found->second);
    rest.remove_prefix(end);
  }
}

std::vector<std::int32_t> WordPieceTokenizer::Parts::text_ids(std::string_view text) const {
  std::vector<std::int32_t> ids;
  const std::u32string given = decode_utf8(text, "text");
  for (const auto& outer : raw.split(given)) {
    if (outer.id) {
      ids.push_back(*outer.id);
      continue;
    }
    const std::u32string plain = model.normalizer(outer.text);
    for (const auto& inner : normalized.split(plain)) {
      if (inner.id) {
        ids.push_back(*inner.id);
        continue;
      }
      for (const std::u32string_view word : split_words(inner.text)) append_word(ids, word);
    }
  }
  return ids;
}

Encoding WordPieceTokenizer::Parts::assemble(const Template& pieces, const std::vector<std::int32_t>& first,
                                             const std::vector<std::int32_t>& second) const {
  Encoding out;
  for (const TemplatePiece& piece : pieces) {
    const auto& ids = piece.kind == TemplatePiece::Kind::special ? piece.ids
                      : piece.kind == TemplatePiece::Kind::first ? first
                                                                 : second;
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.type_ids.resize(out.ids.size(), piece.type_id);
  }
  return out;
}

WordPieceTokenizer::WordPieceTokenizer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
WordPieceTokenizer::WordPieceTokenizer(WordPieceTokenizer&&) noexcept = default;
WordPieceTokenizer& WordPieceTokenizer::operator=(WordPieceTokenizer&&) noexcept = default;
WordPieceTokenizer::~WordPieceTokenizer() = default;

Encoding WordPieceTokenizer::encode(std::string_view text, std::size_t max_length, Truncation truncation) const {
  std::vector<std::int32_t> ids = parts_->text_ids(text);
  truncate(ids, nullptr, room_for(parts_->model.single, max_length), truncation);
  return parts_->assemble(parts_->model.single, ids, {});
}

Encoding WordPieceTokenizer::encode_pair(std::string_view text, std::string_view pair, std::size_t max_length,
                                         Truncation truncation) const {
  std::vector<std::int32_t> first = parts_->text_ids(text), second = parts_->text_ids(pair);
  truncate(first, &second, room_for(parts_->model.pair, max_length), truncation);
  return parts_->assemble(parts_->model.pair, first, second);
}

std::int32_t WordPieceTokenizer::pad_id() const { return find(parts_->model.pad).value_or(0); }
std::size_t WordPieceTokenizer::vocabulary_size() const { return parts_->size; }
std::optional<std::size_t> WordPieceTokenizer::model_max_length() const { return parts_->model.model_max_length; }
std::optional<std::int32_t> WordPieceTokenizer::find(std::string_view token) const { return parts_->find(token); }

}  // namespace dstore
