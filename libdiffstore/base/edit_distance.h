#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dstore {

/// The candidate closest to a mistyped `word` (Levenshtein distance at most a third of its length, at least 1), or
/// nullopt if none is close.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace dstore
