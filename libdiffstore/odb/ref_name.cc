#include "odb/ref_name.h"

#include "base/bytes.h"
#include "dstore/error.h"
#include "odb/layout.h"

namespace dstore {
namespace {

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool stands_for_itself(char c) { return is_lower_or_digit(c) || c == '.' || c == '_' || c == '-'; }

const char* component_problem(std::string_view component) {
  if (component.empty()) return "has an empty part (a '/' at an end or twice)";
  if (component.front() == '.' || component.back() == '.') return "has a part that starts or ends with '.'";
  if (component.ends_with(".lock")) return "has a part that ends with \".lock\"";
  return nullptr;
}

/// nullptr if the name is valid.
const char* problem_of(std::string_view text) {
  if (text.empty()) return "is empty";
  if (text.front() == '-') return "starts with '-'";
  std::size_t encoded = 0;
  for (const char c : text) {
    if (!stands_for_itself(c) && !is_upper(c) && c != '/') return "may have letters, digits and . _ - / only";
    encoded += stands_for_itself(c) ? 1 : 3;
  }
  if (encoded > layout::kMaxEncodedRefName) return "is too long (255 bytes, capitals and '/' count three)";
  if (text.find("..") != std::string_view::npos) return "has \"..\"";
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    if (const char* problem = component_problem(text.substr(at, end - at))) return problem;
    at = end + 1;
  }
  return nullptr;
}

}  // namespace

RefName RefName::parse(std::string_view text) {
  if (const char* problem = problem_of(text)) {
    throw Error(ErrorCode::invalid_argument, "\"" + printable(text.substr(0, 300)) + "\" cannot be a branch or tag name: it " + problem);
  }
  return RefName(std::string(text));
}

bool RefName::is_valid(std::string_view text) { return problem_of(text) == nullptr; }

std::string RefName::encode() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text_) {
    if (stands_for_itself(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

std::optional<RefName> RefName::decode(std::string_view component) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  std::string text;
  for (std::size_t i = 0; i < component.size(); ++i) {
    if (component[i] != '%') {
      text += component[i];
      continue;
    }
    if (component.size() - i < 3) return std::nullopt;
    const int high = digit(component[i + 1]);
    const int low = digit(component[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    text += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (!is_valid(text)) return std::nullopt;
  RefName name(std::move(text));
  if (name.encode() != component) return std::nullopt;
  return name;
}

}  // namespace dstore
