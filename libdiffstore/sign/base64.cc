#include "sign/base64.h"

#include <openssl/crypto.h>

#include <array>
#include <string>

namespace dstore {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kColumns = 70;  // as ssh-keygen writes

constexpr std::array<std::int8_t, 256> digit_values() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kDigits.size(); ++i) values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::int8_t>(i);
  return values;
}
constexpr std::array<std::int8_t, 256> kValues = digit_values();

void wipe(Bytes& bytes) { OPENSSL_cleanse(bytes.data(), bytes.size()); }

void append_text(Bytes& out, std::string_view text) {
  for (char c : text) out.push_back(static_cast<std::byte>(c));
}

std::string_view strip_white_space(std::string_view text) {
  constexpr std::string_view kWhite = " \t\r\n";
  std::size_t first = text.find_first_not_of(kWhite);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhite) - first + 1);
}

}  // namespace

Bytes base64_encode(ByteSpan bytes, bool padding) {
  Bytes out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0);
    for (std::size_t j = 0; j < 4; ++j) {
      if (j <= count)
        out.push_back(static_cast<std::byte>(kDigits[group >> (18 - 6 * j) & 63]));
      else if (padding)
        out.push_back(static_cast<std::byte>('='));
    }
  }
  return out;
}

Bytes base64_encode_lines(ByteSpan bytes) {
  Bytes digits = base64_encode(bytes);
  Bytes out;
  out.reserve(digits.size() + digits.size() / kColumns + 1);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    out.push_back(digits[i]);
    if (i % kColumns == kColumns - 1 || i + 1 == digits.size()) out.push_back(static_cast<std::byte>('\n'));
  }
  wipe(digits);
  return out;
}

std::optional<Bytes> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  auto refuse = [&out] {
    wipe(out);
    return std::nullopt;
  };
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::size_t digits = 4;
    if (i + 4 == text.size()) {
      if (text[i + 3] == '=') digits = text[i + 2] == '=' ? 2 : 3;
    }
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      int value = j < digits ? kValues[static_cast<unsigned char>(text[i + j])] : 0;
      if (value < 0) return refuse();
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    if ((digits == 2 && (group & 0xffff) != 0) || (digits == 3 && (group & 0xff) != 0)) return refuse();
    for (std::size_t j = 0; j + 1 < digits; ++j) out.push_back(static_cast<std::byte>(group >> (16 - 8 * j)));
  }
  return out;
}

std::optional<Bytes> pem_decode(std::string_view text, std::string_view label) {
  const std::string begin = "-----BEGIN " + std::string(label) + "-----";
  const std::string end = "-----END " + std::string(label) + "-----";
  text = strip_white_space(text);
  if (text.size() < begin.size() + end.size() || !text.starts_with(begin) || !text.ends_with(end)) return std::nullopt;
  std::string_view body = text.substr(begin.size(), text.size() - begin.size() - end.size());
  if (body.empty() || (body.front() != '\n' && body.front() != '\r') || body.back() != '\n') return std::nullopt;
  Bytes digits;
  digits.reserve(body.size());
  for (char c : body)
    if (c != '\n' && c != '\r') digits.push_back(static_cast<std::byte>(c));
  std::optional<Bytes> bytes = base64_decode(as_text(digits));
  wipe(digits);
  return bytes;
}

Bytes pem_encode(ByteSpan bytes, std::string_view label) {
  Bytes lines = base64_encode_lines(bytes);
  Bytes out;
  out.reserve(lines.size() + 2 * label.size() + 40);
  append_text(out, "-----BEGIN ");
  append_text(out, label);
  append_text(out, "-----\n");
  out.insert(out.end(), lines.begin(), lines.end());
  append_text(out, "-----END ");
  append_text(out, label);
  append_text(out, "-----\n");
  wipe(lines);
  return out;
}

}  // namespace dstore
