#include "time_text.h"

#include <charconv>
#include <ctime>
#include <optional>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore::cli {
namespace {

struct Span {
  std::string_view unit;
  std::int64_t seconds;
};
constexpr Span kSpans[] = {{"s", 1},        {"min", 60},        {"h", 3'600},       {"d", 86'400},
                           {"w", 604'800}, {"mo", 2'629'746}, {"y", 31'556'952}};

std::optional<std::int64_t> parse_span(const std::string& text) {
  std::int64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [unit, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc() || count < 0 || count > 1'000'000) return std::nullopt;
  for (const Span& span : kSpans) {
    if (span.unit == std::string_view(unit, end)) return count * span.seconds;
  }
  return std::nullopt;
}

/// The whole text in that format of strptime(3), and a time that exists.
std::optional<std::int64_t> parse_date(const std::string& text, const char* format) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), format, &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  std::tm normal = parts;
  const std::int64_t time = ::timegm(&normal);
  if (normal.tm_mday != parts.tm_mday || normal.tm_mon != parts.tm_mon) return std::nullopt;  // 31 February
  return time;
}

}  // namespace

std::int64_t parse_since(const std::string& text, std::int64_t now) {
  if (const auto span = parse_span(text)) return now - *span;
  for (const char* format : {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"}) {
    if (const auto time = parse_date(text, format)) return *time;
  }
  throw Error(ErrorCode::invalid_argument, "--since \"" + printable(text) + "\" is neither a date (2026-11-01, 2026-11-01T12:30, UTC) nor a span " +
                                               "(90min, 5h, 3d, 2w, 6mo, 1y)");
}

}  // namespace dstore::cli
