// Every file of spec/vectors/manifest.json gives what the manifest says; and every code of the library's tables is in one.
#include <algorithm>

#include "catch.h"
#include "delta/positions.h"
#include "delta/value_coders.h"
#include "dstore/error.h"
#include "object/delta_table.h"
#include "odb/layout.h"
#include "odb/object_codec.h"
#include "odb/ref_name.h"
#include "tensor/dtype.h"
#include "vectors/read_row.h"

namespace dstore::test {
namespace {

nlohmann::json manifest(const char* key) { return nlohmann::json::parse(as_text(read_vector("manifest.json"))).at(key); }

std::string verdict_of(const nlohmann::json& row) {
  try {
    read_row(row);
    return "accepted";
  } catch (const Error& error) {
    switch (error.code()) {
      case ErrorCode::corrupt: return "corrupt";
      case ErrorCode::unsupported: return "unsupported";
      case ErrorCode::untrusted: return "untrusted";
      default: return error.what();
    }
  }
}

/// Whether the table of this layer knows the operation: DeltaTable::parse() says that others are unsupported.
bool is_operation(std::uint8_t code) {
  DeltaTable table;
  table.base_weights = table.result_weights = object_id(ObjectKind::weights, {});
  table.changes.push_back({static_cast<DeltaOp>(code), "a", "", 0, 0, 0, {}, {}, {}});
  const Bytes bytes = table.serialize();
  try {
    DeltaTable::parse(bytes, "table");
  } catch (const Error& error) {
    return error.code() != ErrorCode::unsupported;
  }
  return true;
}

/// The codes of one byte that are known.
template <typename Known>
std::vector<unsigned> codes(const Known& is_known_code) {
  std::vector<unsigned> out;
  for (unsigned code = 0; code < 256; ++code) {
    if (is_known_code(static_cast<std::uint8_t>(code))) out.push_back(code);
  }
  return out;
}

}  // namespace

TEST_CASE("valid vectors give what the manifest says") {
  for (const auto& row : manifest("valid")) {
    CHECK(read_row(row).dump() == row.dump());
  }
}

TEST_CASE("invalid vectors are refused as the manifest says") {
  for (const auto& row : manifest("invalid")) {
    INFO(row.dump());
    CHECK(verdict_of(row) == row["error"].get<std::string>());
  }
}

TEST_CASE("names of refs are valid, or not, as the manifest says") {
  const nlohmann::json names = manifest("ref_names");
  for (const auto& [name, encoded] : names["valid"].items()) {
    INFO(name);
    CHECK(RefName::parse(name).encode() == encoded.get<std::string>());
    CHECK(RefName::decode(encoded.get<std::string>()) == RefName::parse(name));
  }
  for (const auto& name : names["invalid"].get<std::vector<std::string>>()) {
    INFO(name);
    CHECK_FALSE(RefName::is_valid(name));
  }
  for (const auto& folder : names["no_ref"].get<std::vector<std::string>>()) {
    INFO(folder);
    CHECK_FALSE(RefName::decode(folder).has_value());
  }
}

TEST_CASE("every code of the library's tables is in a valid vector") {
  const nlohmann::json covered = manifest("covered");
  const auto numbers = [&](const char* what) { return covered.at(what).get<std::vector<unsigned>>(); };
  CHECK(numbers("dtypes") == codes([](std::uint8_t code) { return dtype_from_code(code).has_value(); }));
  CHECK(numbers("positions") == codes([](std::uint8_t code) { return is_known(PositionCode{.within = static_cast<Within>(code)}); }));
  CHECK(numbers("value_coders") == codes([](std::uint8_t code) { return find_value_coder(code) != nullptr; }));
  CHECK(numbers("codecs") == codes([](std::uint8_t code) { return codec_from_code(code).has_value(); }));
  CHECK(numbers("pack_versions") == codes([](std::uint8_t code) { return code >= 1 && code <= layout::kPackVersion; }));
  CHECK(numbers("operations") == codes(is_operation));

  std::vector<std::string> kinds, objects;
  for (std::uint8_t code = 1; const auto kind = kind_from_code(code); ++code) {
    kinds.emplace_back(kind_name(*kind));
    // A chunk is any bytes, segments have rows of their own.
    const bool has_rows = *kind != ObjectKind::chunk && *kind != ObjectKind::segment;
    if (has_rows) objects.emplace_back(kind_name(*kind));
  }
  std::sort(kinds.begin(), kinds.end());
  std::sort(objects.begin(), objects.end());
  CHECK(covered["kinds"].get<std::vector<std::string>>() == kinds);
  CHECK(covered["objects"].get<std::vector<std::string>>() == objects);
}

}  // namespace dstore::test
