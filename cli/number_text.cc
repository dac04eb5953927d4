#include "number_text.h"

#include <bit>
#include <cstdio>

#include "delta/element.h"
#include "delta/stats.h"
#include "output.h"
#include "tensor/dtype.h"

namespace dstore::cli {
namespace {

std::uint64_t little_endian(ByteSpan bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

std::int64_t sign_extended(std::uint64_t bits, std::size_t bytes) {
  const unsigned unused = 64 - 8 * static_cast<unsigned>(bytes);
  return static_cast<std::int64_t>(bits << unused) >> unused;
}

std::string hex(ByteSpan bytes) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "0x%0*llx", static_cast<int>(2 * bytes.size()), static_cast<unsigned long long>(little_endian(bytes)));
  return buffer;
}

}  // namespace

std::string number_text(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
  return buffer;
}

std::string brief_number(const std::string& recorded) {
  constexpr std::size_t kShort = 6;  // "0.8633"
  const auto value = recorded.size() > kShort ? parse_number(recorded) : std::nullopt;
  return value ? number_text(*value, 4) : recorded;
}

std::string share_text(double share) { return share > 0 && share < 0.5e-5 ? "<0.001 %" : percent(share); }

std::string unit_text(DType dtype, ByteSpan unit) {
  const std::uint64_t bits = little_endian(unit);
  if (dtype == DType::f64) return number_text(std::bit_cast<double>(bits), 17);
  if (dtype == DType::f32 || dtype == DType::c64) return number_text(static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits))), 9);
  if (dtype == DType::f16) return number_text(static_cast<double>(float_from_f16(static_cast<std::uint16_t>(bits))), 5);
  if (dtype == DType::bf16) return number_text(static_cast<double>(float_from_bf16(static_cast<std::uint16_t>(bits))), 4);
  switch (dtype_info(dtype).kind) {
    case DTypeKind::boolean: return bits == 0 ? "false" : bits == 1 ? "true" : hex(unit);
    case DTypeKind::unsigned_integer: return std::to_string(bits);
    case DTypeKind::signed_integer: return std::to_string(sign_extended(bits, unit.size()));
    default: return hex(unit);
  }
}

}  // namespace dstore::cli
