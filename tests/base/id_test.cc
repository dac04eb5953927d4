#include "dstore/id.h"

#include <set>

#include "base/bytes.h"
#include "base/scratch.h"
#include "base/sha256.h"
#include "catch.h"

namespace dstore::test {
namespace {

TEST_CASE("an id is the SHA-256 of kind, size and bytes") {
  CHECK(object_id(ObjectKind::file, as_bytes("hello\n")) == sha256(as_bytes(std::string_view("dstore file 6\0hello\n", 20))));
  CHECK(object_id(ObjectKind::chunk, {}) == sha256(as_bytes(std::string_view("dstore chunk 0\0", 15))));
}

TEST_CASE("no two kinds give the same bytes one id, and no two codes one kind") {
  std::set<ObjectId> ids;
  std::set<std::string_view> names;
  std::size_t kinds = 0;
  for (int code = 0; code < 256; ++code) {
    const auto kind = kind_from_code(static_cast<std::uint8_t>(code));
    if (!kind) continue;
    ++kinds;
    CHECK(static_cast<int>(*kind) == code);
    names.insert(kind_name(*kind));
    ids.insert(object_id(*kind, as_bytes("x")));
  }
  CHECK(kinds == 10);
  CHECK(ids.size() == kinds);
  CHECK(names.size() == kinds);
  // Neither can bytes be moved between size and content, nor between one kind's name and another's.
  CHECK(object_id(ObjectKind::chunk, as_bytes("1")) != object_id(ObjectKind::chunk, as_bytes(std::string_view("1\0", 2))));
  for (const std::string_view a : names) {
    for (const std::string_view b : names) CHECK((a == b || !a.starts_with(std::string(b) + " ")));
  }
}

TEST_CASE("objects of zeros have the id of their bytes, whatever came before") {
  const auto plain = [](ObjectKind kind, ByteSpan bytes) {
    Sha256 hash;
    hash.update(as_bytes("dstore " + std::string(kind_name(kind)) + " " + std::to_string(bytes.size()) + std::string(1, '\0')));
    hash.update(bytes);
    return hash.finish();
  };
  for (const std::size_t size : {65'535, 65'536, 65'537, 4 << 20, 65'536, 4 << 20, 4 << 20}) {
    for (const ObjectKind kind : {ObjectKind::chunk, ObjectKind::file, ObjectKind::chunk}) {
      Bytes bytes(size);
      CHECK(object_id(kind, bytes) == plain(kind, bytes));
      for (const std::size_t place : {std::size_t{0}, size / 2, size - 1}) {
        bytes[place] = std::byte{1};
        CHECK(object_id(kind, bytes) == plain(kind, bytes));
        bytes[place] = std::byte{0};
      }
    }
  }
}

TEST_CASE("hex ids have exactly one form") {
  const std::string hex = object_id(ObjectKind::chunk, {}).hex();
  CHECK(ObjectId::from_hex(hex)->hex() == hex);
  std::string upper = hex;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  for (const std::string& bad : {upper, hex.substr(1), hex + "0", "0x" + hex.substr(2), " " + hex.substr(1), std::string(64, 'g'), std::string()}) {
    CHECK_FALSE(ObjectId::from_hex(bad).has_value());
    CHECK(error_of([&] { ObjectId::parse(bad, "x"); }) == ErrorCode::corrupt);
  }
  CHECK(ObjectId().is_none());
  CHECK(ObjectId::from_hex(std::string(64, '0'))->is_none());
}

}  // namespace
}  // namespace dstore::test
