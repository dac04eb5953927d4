#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dstore {

/// Object kinds, with the numbers stored in packs (spec/pack.md). Never reused.
enum class ObjectKind : std::uint8_t {
  chunk = 1,
  tensor = 2,
  segment = 3,
  file = 4,
  weights = 5,
  checkpoint = 6,
  delta = 7,
  commit = 8,
  evaluation = 9,
  signature = 10,
};

/// "chunk", "tensor", ...; the word that is hashed into an id.
std::string_view kind_name(ObjectKind kind);
std::optional<ObjectKind> kind_from_code(std::uint8_t code);

/// A SHA-256. As an object's id it is over "dstore KIND SIZE\0" + bytes, so one digest can never be read as two kinds.
class ObjectId {
 public:
  static constexpr std::size_t kSize = 32;

  ObjectId() = default;  ///< all zero: "none"
  explicit ObjectId(std::span<const std::byte, kSize> raw) { std::memcpy(bytes_.data(), raw.data(), kSize); }

  /// Exactly 64 lower-case hex digits, else nullopt.
  static std::optional<ObjectId> from_hex(std::string_view hex);
  /// As from_hex, but throws Error{corrupt} that names `what`, also where it is all zero.
  static ObjectId parse(std::string_view hex, std::string_view what);

  std::string hex() const;
  std::string short_hex() const { return hex().substr(0, 10); }
  bool is_none() const;
  std::span<const std::byte, kSize> bytes() const { return bytes_; }

  friend auto operator<=>(const ObjectId&, const ObjectId&) = default;
  friend bool operator==(const ObjectId&, const ObjectId&) = default;

 private:
  std::array<std::byte, kSize> bytes_{};
};

ObjectId object_id(ObjectKind kind, std::span<const std::byte> bytes);

}  // namespace dstore

template <>
struct std::hash<dstore::ObjectId> {
  std::size_t operator()(const dstore::ObjectId& id) const noexcept {
    std::size_t value;
    std::memcpy(&value, id.bytes().data(), sizeof value);
    return value;
  }
};
