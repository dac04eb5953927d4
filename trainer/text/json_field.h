#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "dstore/error.h"

namespace dstore {

/// Typed reading of others' JSON: a value of another type is Error{corrupt} that names file and key; a missing or null
/// key gives the fallback.
class JsonObject {
 public:
  JsonObject(const nlohmann::json& value, std::string where) : value_(value), where_(std::move(where)) {
    if (!value_.is_object()) fail("is not an object");
  }

  const nlohmann::json* find(const char* key) const {
    const auto it = value_.find(key);
    return it == value_.end() || it->is_null() ? nullptr : &*it;
  }
  const nlohmann::json& at(const char* key) const {
    const nlohmann::json* found = find(key);
    if (!found) fail(std::string("has no \"") + key + "\"");
    return *found;
  }
  JsonObject object(const char* key) const { return {at(key), where_ + ": " + key}; }
  bool flag(const char* key, bool fallback) const {
    const nlohmann::json* found = find(key);
    if (found && !found->is_boolean()) fail(std::string("\"") + key + "\" is not true or false");
    return found ? found->get<bool>() : fallback;
  }
  std::string text(const char* key, std::string_view fallback) const { return find(key) ? text(key) : std::string(fallback); }
  std::string text(const char* key) const {
    const nlohmann::json& found = at(key);
    if (!found.is_string()) fail(std::string("\"") + key + "\" is not a string");
    return found.get<std::string>();
  }
  std::int32_t count(const char* key, std::int32_t fallback) const {
    return find(key) ? count_value(at(key), key) : fallback;
  }
  std::int32_t count(const char* key) const { return count_value(at(key), key); }
  /// `value` as an integer in [0, 2^31).
  std::int32_t count_value(const nlohmann::json& value, std::string_view key) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int32_t>::max()}) {
      fail("\"" + std::string(key) + "\" is not an integer between 0 and 2147483647");
    }
    return value.get<std::int32_t>();
  }
  const nlohmann::json& json() const { return value_; }
  const std::string& where() const { return where_; }
  [[noreturn]] void fail(const std::string& what) const { throw Error(ErrorCode::corrupt, where_ + " " + what); }

 private:
  const nlohmann::json& value_;
  std::string where_;
};

/// Error{corrupt} naming `where` unless `bytes` are JSON.
inline nlohmann::json parse_json(std::string_view bytes, const std::string& where) {
  nlohmann::json out = nlohmann::json::parse(bytes, nullptr, false);
  if (out.is_discarded()) throw Error(ErrorCode::corrupt, where + " is not valid JSON");
  return out;
}

}  // namespace dstore
