#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/size_text.h"

namespace dstore::cli {

/// "22,713,216".
std::string grouped(std::uint64_t number);
/// "0.50 %" of a share.
std::string percent(double share);
/// "3 hours ago".
std::string age(std::int64_t then, std::int64_t now);
/// "2026-11-23 01:16:29 UTC".
std::string timestamp(std::int64_t time);
/// Columns on a terminal (80 where unknown).
std::size_t terminal_width();
/// Terminal columns of UTF-8 text (combining marks 0, wide characters 2).
std::size_t display_width(std::string_view text);
/// At most `width` columns, "…" at the cut.
std::string shorten(std::string_view text, std::size_t width);
/// The same, cut at the front.
std::string shorten_front(std::string_view text, std::size_t width);
/// A bar of that share (0 to 1) of `width` columns, in eighths of one; a little where the share is not 0.
std::string bar_text(double share, std::size_t width);

/// Rows under headings, columns aligned; numbers (columns whose heading starts with '>') to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text(const std::string& indent = "") const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace dstore::cli
