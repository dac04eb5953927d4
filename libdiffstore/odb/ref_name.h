#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace dstore {

/// A branch or tag name that obeys spec/refs.md, "Names": components of A-Z a-z 0-9 . _ - joined by '/'; the name does
/// not start with '-'; no component is empty, starts or ends with '.', contains "..", or ends with ".lock"; its encoded form is at most
/// 255 bytes.
class RefName {
 public:
  /// Error{invalid_argument} that says which rule is broken.
  static RefName parse(std::string_view text);
  static bool is_valid(std::string_view text);

  const std::string& text() const { return text_; }
  /// One path component; two names never clash, not even where upper and lower case are one ('/' and capitals are %xx).
  std::string encode() const;
  /// The inverse: nullopt unless `component` is exactly what encode() gives.
  static std::optional<RefName> decode(std::string_view component);

  friend auto operator<=>(const RefName&, const RefName&) = default;
  friend bool operator==(const RefName&, const RefName&) = default;

 private:
  explicit RefName(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace dstore
