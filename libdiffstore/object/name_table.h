#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace dstore {

/// The strings of a table object: records hold {u32 offset, u32 length}, the strings follow the records in the order
/// of first use without gaps (spec/objects.md, "Names"). Equal consecutive uses are not shared: one rule, one encoding.
class NameWriter {
 public:
  /// Writes the reference into `records` and keeps the string.
  void add(Writer& records, std::string_view name);
  std::uint32_t bytes() const { return static_cast<std::uint32_t>(text_.size()); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class NameReader {
 public:
  explicit NameReader(std::string_view text) : text_(text) {}
  /// Reads a reference; it must start where the last one ended. Names are UTF-8, at most 4096 bytes.
  std::string next(Reader& records);
  /// Every byte of the table was named.
  void expect_end(const Reader& records) const;

 private:
  std::string_view text_;
  std::size_t used_ = 0;
};

}  // namespace dstore
