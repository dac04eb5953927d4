#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dstore {

/// Canonical JSON as commits and ref entries use it (spec/objects.md, "Canonical JSON"): UTF-8, keys sorted by bytes, no spaces, one
/// escape rule, values only object, array, string and integers with |n| < 2^53. parse() refuses everything that
/// serialize() would not write, so equal values have equal bytes.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;

  Json() : value_(Object{}) {}
  Json(std::int64_t number) : value_(number) {}
  Json(int number) : value_(std::int64_t{number}) {}
  Json(std::string text) : value_(std::move(text)) {}
  Json(std::string_view text) : value_(std::string(text)) {}
  Json(const char* text) : value_(std::string(text)) {}
  Json(Array array) : value_(std::move(array)) {}
  Json(Object object) : value_(std::move(object)) {}

  bool is_object() const { return std::holds_alternative<Object>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }

  // Each throws Error{corrupt} if the value is of another type.
  const Object& object() const;
  Object& object();
  const Array& array() const;
  const std::string& string() const;
  std::int64_t integer() const;

  /// Member of an object, or null if absent.
  const Json* find(std::string_view key) const;
  /// Member of an object; Error{corrupt} that names the key if absent.
  const Json& at(std::string_view key) const;
  void set(std::string_view key, Json value);

  std::string serialize() const;
  /// Error{corrupt} naming `what` unless `text` is exactly canonical. Depth at most 16.
  static Json parse(std::string_view text, std::string_view what);

  friend bool operator==(const Json&, const Json&) = default;

 private:
  std::variant<std::int64_t, std::string, Array, Object> value_;
};

}  // namespace dstore
