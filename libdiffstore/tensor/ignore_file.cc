#include "tensor/ignore_file.h"

#include <algorithm>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Which prefixes of a path the pattern read so far matches: matched[i] stands for the first i bytes. Each token is one
// pass, so the cost is pattern × path whatever the pattern.
class Prefixes {
 public:
  explicit Prefixes(std::string_view path) : path_(path), matched_(path.size() + 1, false) { matched_[0] = true; }

  void literal(char c) {
    for (std::size_t i = path_.size(); i > 0; --i) matched_[i] = matched_[i - 1] && path_[i - 1] == c;
    matched_[0] = false;
  }
  // One character (not byte) that is not '/'.
  void any_one() {
    std::vector<bool> next(matched_.size(), false);
    for (std::size_t i = 0; i < path_.size(); ++i) {
      if (!matched_[i] || path_[i] == '/') continue;
      std::size_t end = i + 1;
      while (end < path_.size() && is_continuation(path_[end])) ++end;
      next[end] = true;
    }
    matched_ = std::move(next);
  }
  // Any run without '/'.
  void star() {
    for (std::size_t i = 1; i < matched_.size(); ++i) {
      if (matched_[i - 1] && path_[i - 1] != '/') matched_[i] = true;
    }
  }
  // "**/": nothing, or whole folders.
  void folders() {
    bool seen = false;
    for (std::size_t i = 0; i < matched_.size(); ++i) {
      if (seen && path_[i - 1] == '/') matched_[i] = true;
      seen = seen || matched_[i];
    }
  }
  // "**" at the end: at least one more byte.
  void rest() {
    const bool any = std::find(matched_.begin(), matched_.end() - 1, true) != matched_.end() - 1;
    matched_.assign(matched_.size(), false);
    matched_.back() = any;
  }
  bool whole() const { return matched_.back(); }

 private:
  std::string_view path_;
  std::vector<bool> matched_;
};

bool matches(std::string_view pattern, bool anchored, std::string_view path) {
  Prefixes prefixes(path);
  if (!anchored) prefixes.folders();
  for (std::size_t i = 0; i < pattern.size();) {
    const std::string_view left = pattern.substr(i);
    const bool component_start = i == 0 || pattern[i - 1] == '/';
    if (component_start && left.starts_with("**/")) {
      prefixes.folders();
      i += 3;
    } else if (component_start && left == "**") {
      prefixes.rest();
      i += 2;
    } else {
      if (left[0] == '*') prefixes.star();
      else if (left[0] == '?') prefixes.any_one();
      else prefixes.literal(left[0]);
      ++i;
    }
  }
  return prefixes.whole();
}

}  // namespace

IgnoreFile::IgnoreFile(std::string_view text, std::string_view what) {
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.find_first_of("[]\\") != line.npos || !is_utf8(line)) {
      throw Error(ErrorCode::invalid_argument,
                  std::string(what) + ":" + std::to_string(number) + ": '" + printable(line) +
                      "': only *, **, ? and literal UTF-8 text are known, not [ ] or \\");
    }
    Rule rule;
    if (line.starts_with('!')) {
      rule.negated = true;
      line.remove_prefix(1);
    }
    if (line.ends_with('/')) {
      rule.directories_only = true;
      line.remove_suffix(1);
    }
    rule.anchored = line.find('/') != line.npos;
    if (line.starts_with('/')) line.remove_prefix(1);
    if (line.empty()) continue;
    rule.pattern = line;
    rules_.push_back(std::move(rule));
  }
}

bool IgnoreFile::ignores(std::string_view path, bool is_directory) const {
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->directories_only && !is_directory) continue;
    if (matches(rule->pattern, rule->anchored, path)) return !rule->negated;
  }
  return false;
}

}  // namespace dstore
