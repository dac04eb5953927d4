#include "output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <ctime>
#include <cwchar>

namespace dstore::cli {
namespace {

std::string format(const char* pattern, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, pattern, value);
  return buffer;
}

/// The next character of UTF-8 text: its bytes and its columns.
std::pair<std::size_t, int> next_character(std::string_view text, std::size_t at) {
  if (text[at] >= 0x20 && text[at] < 0x7F) return {1, 1};
  std::mbstate_t state{};
  wchar_t wide = 0;
  const std::size_t n = std::mbrtowc(&wide, text.data() + at, text.size() - at, &state);
  if (n == 0 || n == static_cast<std::size_t>(-1) || n == static_cast<std::size_t>(-2)) return {1, 1};
  return {n, std::max(0, ::wcwidth(wide))};
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string percent(double share) {
  const double value = share * 100;
  return format(value == 0 ? "%.0f" : value < 0.0995 ? "%.3f" : value < 9.95 ? "%.2f" : "%.1f", value) + " %";
}

std::string age(std::int64_t then, std::int64_t now) {
  struct Unit {
    std::int64_t seconds;
    const char* name;
  };
  constexpr Unit kUnits[] = {{31'556'952, "year"}, {2'629'746, "month"}, {86'400, "day"}, {3'600, "hour"}, {60, "minute"}};
  const std::int64_t seconds = now - then;
  if (seconds < 0) return "in the future";
  for (const Unit& unit : kUnits) {
    const std::int64_t count = seconds / unit.seconds;
    if (count >= 1) return std::to_string(count) + " " + unit.name + (count == 1 ? "" : "s") + " ago";
  }
  return seconds < 5 ? "now" : std::to_string(seconds) + " seconds ago";
}

std::string timestamp(std::int64_t time) {
  const std::time_t t = static_cast<std::time_t>(time);
  std::tm parts{};
  gmtime_r(&t, &parts);
  char buffer[64];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return buffer;
}

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return size.ws_col;
  return 80;
}

std::size_t display_width(std::string_view text) {
  unsigned beyond = 0;  // of printable ASCII: one column each
  for (const char c : text) beyond |= static_cast<unsigned>(static_cast<unsigned char>(c - 0x20) >= 0x5F);
  if (beyond == 0) return text.size();
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto [bytes, columns] = next_character(text, at);
    at += bytes;
    width += static_cast<std::size_t>(columns);
  }
  return width;
}

std::string shorten(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::size_t used = 0, at = 0;
  while (at < text.size()) {
    const auto [bytes, columns] = next_character(text, at);
    if (used + static_cast<std::size_t>(columns) + 1 > width) break;
    used += static_cast<std::size_t>(columns);
    at += bytes;
  }
  return std::string(text.substr(0, at)) + "…";
}

std::string shorten_front(std::string_view text, std::size_t width) {
  std::size_t left = display_width(text);
  if (left <= width) return std::string(text);
  std::size_t at = 0;
  while (at < text.size() && left + 1 > width) {
    const auto [bytes, columns] = next_character(text, at);
    at += bytes;
    left -= static_cast<std::size_t>(columns);
  }
  return "…" + std::string(text.substr(at));
}

std::string bar_text(double share, std::size_t width) {
  constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (!(share > 0)) return "";
  const double columns = std::min(share, 1.0) * static_cast<double>(width);
  const auto eighths = std::max<std::size_t>(1, static_cast<std::size_t>(columns * 8 + 0.5));
  std::string out;
  for (std::size_t i = 0; i < eighths / 8; ++i) out += "█";
  return out + kEighths[eighths % 8];
}

std::string Table::text(const std::string& indent) const {
  const std::size_t columns = headings_.size();
  std::vector<bool> right(columns);
  std::vector<std::string> heads(columns);
  std::vector<std::size_t> widths(columns);
  for (std::size_t c = 0; c < columns; ++c) {
    right[c] = headings_[c].starts_with('>');
    heads[c] = headings_[c].substr(right[c] ? 1 : 0);
    widths[c] = display_width(heads[c]);
    for (const auto& row : rows_) widths[c] = std::max(widths[c], display_width(row[c]));
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text = indent;
    for (std::size_t c = 0; c < columns; ++c) {
      const std::string pad(widths[c] - display_width(cells[c]), ' ');
      text += (c > 0 ? "  " : "") + (right[c] ? pad + cells[c] : cells[c] + pad);
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    out += text + "\n";
  };
  if (std::any_of(heads.begin(), heads.end(), [](const std::string& head) { return !head.empty(); })) line(heads);
  for (const auto& row : rows_) line(row);
  return out;
}

}  // namespace dstore::cli
