#pragma once

#include <string_view>

namespace dstore {

/// Whether PEFT applies the key `pattern` of rank_pattern or alpha_pattern to a module: as a regular expression it matches the module's
/// whole name, or what follows one of its dots. Known are letters, digits, `_`, `-`, `.`, `\.`, `\d`, `\w`, `*`, `+`, `?`, `^` first and
/// `$` last; time is bounded by the product of the lengths. Error{unsupported} for other expressions.
bool matches_module(std::string_view pattern, std::string_view module);

}  // namespace dstore
