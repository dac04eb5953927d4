#pragma once

#include <cstdint>
#include <string>

namespace dstore::cli {

/// The moment that `--since` means, in seconds since 1970: a date ("2026-11-01"), a time ("2026-11-01 12:30", with "T" and
/// seconds too; UTC), or a span before `now` ("90min", "5h", "3d", "2w", "6mo", "1y"). Error{invalid_argument}.
std::int64_t parse_since(const std::string& text, std::int64_t now);

}  // namespace dstore::cli
