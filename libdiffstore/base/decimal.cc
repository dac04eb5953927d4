#include "base/decimal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

/// A decimal number with its exponent lowered by two: exact where a division would round twice.
std::string hundredth(const std::string& number) {
  const std::size_t mantissa = std::min(number.find_first_of("eE"), number.size());
  int exponent = 0;
  if (mantissa < number.size()) {
    const char* end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data() + mantissa + 1, end, exponent);
    if (error != std::errc() || stop != end || std::abs(exponent) > 1000) return "";
  }
  return number.substr(0, mantissa) + "e" + std::to_string(exponent - 2);
}

}  // namespace

std::string shortest_decimal(double value) {
  if (std::isnan(value)) return "nan";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

double parse_density(const std::string& text) {
  const std::string number = text.ends_with('%') ? hundredth(text.substr(0, text.size() - 1)) : text;
  double value = 0;
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, value);
  if (error != std::errc() || stop != end || !(value > 0 && value <= 1)) {
    throw Error(ErrorCode::invalid_argument, "--density " + printable(text) + " is not a share in (0, 1]: write 0.5% or 0.005");
  }
  return value;
}

std::uint64_t density_count(double density, std::uint64_t elements) {
  const double exact = density * static_cast<double>(elements);
  return std::min(elements, static_cast<std::uint64_t>(std::floor(exact * (1 + 1e-14))));
}

}  // namespace dstore
