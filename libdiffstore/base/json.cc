#include "base/json.h"

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::int64_t kMaxInteger = (std::int64_t{1} << 53) - 1;
constexpr int kMaxDepth = 16;

void write_string(std::string_view text, std::string& out) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20) {
      out += "\\u00";
      out += {kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      out += c;
    }
  }
  out += '"';
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  Json document() {
    Json value = parse_value(0);
    if (at_ != text_.size()) fail("text after the end");
    return value;
  }

 private:
  [[noreturn]] void fail(std::string_view message) const {
    throw Error(ErrorCode::corrupt, std::string(what_) + ": not canonical JSON: " + std::string(message) + " at byte " + std::to_string(at_));
  }

  char peek() const {
    if (at_ >= text_.size()) fail("cut short");
    return text_[at_];
  }

  void expect(char c) {
    if (peek() != c) fail(std::string("expected ") + c);
    ++at_;
  }

  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }

  Json parse_value(int depth) {
    if (depth > kMaxDepth) fail("nested too deeply");
    const char c = peek();
    if (c == '{') return parse_object(depth);
    if (c == '[') return parse_array(depth);
    if (c == '"') return Json(parse_string());
    return Json(parse_integer());
  }

  Json parse_object(int depth) {
    Json::Object object;
    expect('{');
    if (accept('}')) return Json(std::move(object));
    do {
      std::string key = parse_string();
      if (!object.empty() && key <= object.rbegin()->first) fail("keys not sorted or repeated");
      expect(':');
      object.emplace(std::move(key), parse_value(depth + 1));
    } while (accept(','));
    expect('}');
    return Json(std::move(object));
  }

  Json parse_array(int depth) {
    Json::Array array;
    expect('[');
    if (accept(']')) return Json(std::move(array));
    do {
      array.push_back(parse_value(depth + 1));
    } while (accept(','));
    expect(']');
    return Json(std::move(array));
  }

  std::string parse_string() {
    expect('"');
    std::string out;
    for (;;) {
      const char c = peek();
      ++at_;
      if (c == '"') return out;
      if (static_cast<unsigned char>(c) < 0x20) fail("bare control byte");
      out += c == '\\' ? parse_escape() : c;
    }
  }

  char parse_escape() {
    const char c = peek();
    ++at_;
    if (c == '"' || c == '\\') return c;
    if (c != 'u' || text_.size() - at_ < 4 || text_.substr(at_, 2) != "00") fail("escape");
    const auto digit = [&](char d) {
      if (d >= '0' && d <= '9') return d - '0';
      if (d >= 'a' && d <= 'f') return d - 'a' + 10;
      fail("escape");
    };
    const int value = digit(text_[at_ + 2]) * 16 + digit(text_[at_ + 3]);
    if (value >= 0x20) fail("needless escape");
    at_ += 4;
    return static_cast<char>(value);
  }

  std::int64_t parse_integer() {
    const std::size_t start = at_;
    const bool negative = accept('-');
    std::int64_t value = 0;
    std::size_t digits = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      value = value * 10 + (text_[at_] - '0');
      if (value > kMaxInteger) fail("integer beyond 2^53 - 1");
      ++at_;
      ++digits;
    }
    const char first = digits > 0 ? text_[start + (negative ? 1 : 0)] : '0';
    if (digits == 0) fail("expected a value");
    if ((first == '0' && digits > 1) || (negative && value == 0)) fail("integer not in its one form");
    return negative ? -value : value;
  }

  std::string_view text_;
  std::string_view what_;
  std::size_t at_ = 0;
};

/// Strings and keys alike.
void write_text(std::string_view text, std::string& out) {
  if (!is_utf8(text)) throw Error(ErrorCode::invalid_argument, "text that is not UTF-8 cannot be stored: " + printable(text));
  write_string(text, out);
}

void write_value(const Json& value, int depth, std::string& out) {
  if (depth > kMaxDepth) throw Error(ErrorCode::invalid_argument, "a record nested too deeply cannot be stored");
  if (value.is_integer()) {
    if (value.integer() > kMaxInteger || value.integer() < -kMaxInteger) {
      throw Error(ErrorCode::invalid_argument, "an integer beyond 2^53 - 1 cannot be stored");
    }
    out += std::to_string(value.integer());
  } else if (value.is_string()) {
    write_text(value.string(), out);
  } else if (value.is_array()) {
    char separator = '[';
    for (const Json& item : value.array()) {
      out += separator;
      write_value(item, depth + 1, out);
      separator = ',';
    }
    out += value.array().empty() ? "[]" : "]";
  } else {
    char separator = '{';
    for (const auto& [key, item] : value.object()) {
      out += separator;
      write_text(key, out);
      out += ':';
      write_value(item, depth + 1, out);
      separator = ',';
    }
    out += value.object().empty() ? "{}" : "}";
  }
}

template <typename T, typename V>
T& get(V& value, const char* wanted) {
  if (auto* held = std::get_if<std::remove_const_t<T>>(&value)) return *held;
  throw Error(ErrorCode::corrupt, std::string("a stored value is not ") + wanted);
}

}  // namespace

const Json::Object& Json::object() const { return get<const Object>(value_, "an object"); }
Json::Object& Json::object() { return get<Object>(value_, "an object"); }
const Json::Array& Json::array() const { return get<const Array>(value_, "an array"); }
const std::string& Json::string() const { return get<const std::string>(value_, "a string"); }
std::int64_t Json::integer() const { return get<const std::int64_t>(value_, "an integer"); }

const Json* Json::find(std::string_view key) const {
  const auto it = object().find(key);
  return it == object().end() ? nullptr : &it->second;
}

const Json& Json::at(std::string_view key) const {
  if (const Json* value = find(key)) return *value;
  throw Error(ErrorCode::corrupt, "a stored record lacks the member \"" + std::string(key) + "\"");
}

void Json::set(std::string_view key, Json value) { object().insert_or_assign(std::string(key), std::move(value)); }

std::string Json::serialize() const {
  std::string out;
  write_value(*this, 0, out);
  return out;
}

Json Json::parse(std::string_view text, std::string_view what) {
  if (!is_utf8(text)) throw Error(ErrorCode::corrupt, std::string(what) + ": not UTF-8");
  return Parser(text, what).document();
}

}  // namespace dstore
