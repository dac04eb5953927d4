#include "repo/key_pattern.h"

#include <string>
#include <vector>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// One character of a module's name, or several.
struct Atom {
  enum class Kind { literal, any, digit, word } kind = Kind::literal;
  char c = 0;
  bool optional = false;
  bool repeats = false;

  bool matches(char x) const {
    switch (kind) {
      case Kind::literal: return x == c;
      case Kind::any: return true;
      case Kind::digit: return is_digit(x);
      case Kind::word: return is_word(x);
    }
    return false;
  }
};

struct Parsed {
  std::vector<Atom> atoms;
  bool from_start = false;
};

Atom parse_escape(char c, std::string_view pattern) {
  if (c == 'd') return {Atom::Kind::digit};
  if (c == 'w') return {Atom::Kind::word};
  if (c == '.' || c == '-' || c == '_') return {Atom::Kind::literal, c};
  throw Error(ErrorCode::unsupported, "the pattern \"" + printable(pattern) + "\" is a regular expression that is not understood; write out the modules' names");
}

Parsed parse(std::string_view pattern) {
  Parsed out;
  std::size_t at = 0;
  if (pattern.starts_with('^')) {
    out.from_start = true;
    at = 1;
  }
  for (; at < pattern.size(); ++at) {
    const char c = pattern[at];
    const bool last = at + 1 == pattern.size();
    if (c == '$' && last) break;
    if ((c == '*' || c == '+' || c == '?') && !out.atoms.empty() && !out.atoms.back().optional && !out.atoms.back().repeats) {
      out.atoms.back().optional = c != '+';
      out.atoms.back().repeats = c != '?';
    } else if (c == '.') {
      out.atoms.push_back({Atom::Kind::any});
    } else if (is_word(c) || c == '-') {
      out.atoms.push_back({Atom::Kind::literal, c});
    } else {
      out.atoms.push_back(parse_escape(c == '\\' && !last ? pattern[++at] : '\0', pattern));
    }
  }
  return out;
}

/// reached[k]: the atoms so far can match the first k characters.
bool matches_whole(const std::vector<Atom>& atoms, std::string_view text) {
  std::vector<bool> reached(text.size() + 1, false);
  reached[0] = true;
  for (const Atom& atom : atoms) {
    std::vector<bool> next(text.size() + 1, false);
    for (std::size_t k = 0; k <= text.size(); ++k) {
      if (reached[k] && atom.optional) next[k] = true;
      if (k == 0 || !atom.matches(text[k - 1])) continue;
      if (reached[k - 1] || (atom.repeats && next[k - 1])) next[k] = true;
    }
    reached = std::move(next);
  }
  return reached[text.size()];
}

}  // namespace

bool matches_module(std::string_view pattern, std::string_view module) {
  const Parsed parsed = parse(pattern);
  if (matches_whole(parsed.atoms, module)) return true;
  for (std::size_t dot = module.find('.'); !parsed.from_start && dot != module.npos; dot = module.find('.', dot + 1)) {
    if (matches_whole(parsed.atoms, module.substr(dot + 1))) return true;
  }
  return false;
}

}  // namespace dstore
