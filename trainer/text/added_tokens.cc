#include "trainer/text/added_tokens.h"

#include <algorithm>

#include "trainer/text/unicode.h"

namespace dstore {
namespace {

bool is_word(char32_t c) { return unicode_flags(c) & kWord; }
bool is_space(char32_t c) { return unicode_flags(c) & kSpace; }

}  // namespace

void AddedTokenMatcher::add(const AddedToken& token, std::u32string pattern) {
  first_[pattern.front() & 0xFF] = true;
  const auto place = std::find_if(patterns_.begin(), patterns_.end(),
                                  [&](const Pattern& other) { return other.text.size() < pattern.size(); });
  patterns_.insert(place, {std::move(pattern), token});
}

const AddedTokenMatcher::Pattern* AddedTokenMatcher::longest_at(std::u32string_view rest) const {
  if (!first_[rest.front() & 0xFF]) return nullptr;
  for (const Pattern& pattern : patterns_) {
    if (rest.starts_with(pattern.text)) return &pattern;
  }
  return nullptr;
}

std::vector<AddedTokenMatcher::Piece> AddedTokenMatcher::split(std::u32string_view text) const {
  std::vector<Piece> pieces;
  std::size_t done = 0;  // everything before is in `pieces`
  for (std::size_t i = 0; !patterns_.empty() && i < text.size();) {
    const Pattern* pattern = longest_at(text.substr(i));
    if (!pattern) {
      ++i;
      continue;
    }
    std::size_t start = i, stop = i + pattern->text.size();
    i = stop;
    const AddedToken& token = pattern->token;
    if (token.single_word && ((start > 0 && is_word(text[start - 1])) || (stop < text.size() && is_word(text[stop])))) {
      continue;
    }
    if (token.lstrip) {
      while (start > done && is_space(text[start - 1])) --start;
    }
    if (token.rstrip) {
      while (stop < text.size() && is_space(text[stop])) ++stop;
    }
    if (done < start) pieces.push_back({std::nullopt, text.substr(done, start - done)});
    pieces.push_back({token.id, text.substr(start, stop - start)});
    done = stop;
  }
  if (done < text.size()) pieces.push_back({std::nullopt, text.substr(done)});
  return pieces;
}

}  // namespace dstore
