#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dstore {

/// A token that is cut out of the text before (or, if `normalized`, after) normalisation.
struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool single_word = false;  ///< only where no word character touches it
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< ... after it
  bool normalized = false;
  bool special = false;
};

/// The tokens of one round of matching. At each place the longest wins; matches do not overlap.
class AddedTokenMatcher {
 public:
  struct Piece {
    std::optional<std::int32_t> id;  ///< none: ordinary text
    std::u32string_view text;
  };

  /// `pattern` is the content as it is looked for (normalised or not); it must not be empty.
  void add(const AddedToken& token, std::u32string pattern);
  bool empty() const { return patterns_.empty(); }
  std::vector<Piece> split(std::u32string_view text) const;

 private:
  struct Pattern {
    std::u32string text;
    AddedToken token;
  };
  const Pattern* longest_at(std::u32string_view rest) const;

  std::vector<Pattern> patterns_;  ///< longest first, then as added
  std::array<bool, 256> first_{};  ///< low byte of some pattern's first character
};

}  // namespace dstore
