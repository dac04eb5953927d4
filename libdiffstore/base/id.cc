#include "dstore/id.h"

#include <algorithm>
#include <optional>

#include "base/sha256.h"
#include "dstore/error.h"

namespace dstore {
namespace {

struct KindRow {
  ObjectKind kind;
  std::string_view name;
};

constexpr KindRow kKinds[] = {
    {ObjectKind::chunk, "chunk"},     {ObjectKind::tensor, "tensor"},         {ObjectKind::segment, "segment"},
    {ObjectKind::file, "file"},       {ObjectKind::weights, "weights"},       {ObjectKind::checkpoint, "checkpoint"},
    {ObjectKind::delta, "delta"},     {ObjectKind::commit, "commit"},         {ObjectKind::evaluation, "evaluation"},
    {ObjectKind::signature, "signature"},
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string_view kind_name(ObjectKind kind) {
  for (const KindRow& row : kKinds) {
    if (row.kind == kind) return row.name;
  }
  return "unknown";
}

std::optional<ObjectKind> kind_from_code(std::uint8_t code) {
  for (const KindRow& row : kKinds) {
    if (static_cast<std::uint8_t>(row.kind) == code) return row.kind;
  }
  return std::nullopt;
}

std::optional<ObjectId> ObjectId::from_hex(std::string_view hex) {
  if (hex.size() != 2 * kSize) return std::nullopt;
  ObjectId id;
  for (std::size_t i = 0; i < kSize; ++i) {
    const int high = hex_digit(hex[2 * i]);
    const int low = hex_digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes_[i] = static_cast<std::byte>(high * 16 + low);
  }
  return id;
}

ObjectId ObjectId::parse(std::string_view hex, std::string_view what) {
  if (const auto id = from_hex(hex); id && !id->is_none()) return *id;
  throw Error(ErrorCode::corrupt, std::string(what) + ": not an id (64 lower-case hex digits, not all 0): " + printable(hex.substr(0, 80)));
}

std::string ObjectId::hex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out(2 * kSize, '0');
  for (std::size_t i = 0; i < kSize; ++i) {
    const auto value = std::to_integer<unsigned>(bytes_[i]);
    out[2 * i] = kDigits[value >> 4];
    out[2 * i + 1] = kDigits[value & 15];
  }
  return out;
}

bool ObjectId::is_none() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::byte b) { return b == std::byte{0}; });
}

namespace {

constexpr std::size_t kManyZeros = 64 << 10;

bool is_zero(std::span<const std::byte> bytes) {
  return bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

ObjectId hashed_id(ObjectKind kind, std::span<const std::byte> bytes) {
  Sha256 hash;
  const std::string preamble = "dstore " + std::string(kind_name(kind)) + " " + std::to_string(bytes.size());
  hash.update(as_bytes(preamble));
  hash.update(as_bytes(std::string_view("\0", 1)));
  hash.update(bytes);
  return hash.finish();
}

}  // namespace

/// Large objects of zeros come in rows of equal ones (holes of sparse files, untouched tensors): the id of the last is kept.
ObjectId object_id(ObjectKind kind, std::span<const std::byte> bytes) {
  struct Known {
    ObjectKind kind;
    std::size_t size;
    ObjectId id;
  };
  thread_local std::optional<Known> known;
  if (bytes.size() < kManyZeros || !is_zero(bytes)) return hashed_id(kind, bytes);
  if (!known || known->kind != kind || known->size != bytes.size()) known = Known{kind, bytes.size(), hashed_id(kind, bytes)};
  return known->id;
}

}  // namespace dstore
