#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dstore {

/// The rules of a `.dstoreignore` file, a subset of .gitignore's: a `#` starts a comment line; `*` and `?` stop at '/';
/// `**` crosses it; a trailing '/' means folders only; a '/' at the start or in the middle anchors the pattern to the
/// folder of the file; `!` takes a path back; the last rule that matches decides. What is inside an ignored folder is
/// ignored. No [classes] and no backslash escapes: such a line is an Error{invalid_argument} with its number.
class IgnoreFile {
 public:
  IgnoreFile() = default;
  /// `what` names the file in messages.
  IgnoreFile(std::string_view text, std::string_view what);

  /// For one path relative to the folder ('/' between components). Parents are the caller's walk: it asks for a folder
  /// before it descends into it.
  bool ignores(std::string_view path, bool is_directory) const;

 private:
  struct Rule {
    std::string pattern;
    bool negated = false;
    bool directories_only = false;
    bool anchored = false;
  };
  std::vector<Rule> rules_;
};

}  // namespace dstore
