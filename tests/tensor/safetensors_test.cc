#include "tensor/safetensors.h"

#include "catch.h"
#include "dstore/error.h"
#include "tensor/dtype.h"
#include "tensor/safetensors_samples.h"

using namespace dstore;

namespace {

SafetensorsHeader parse(const std::string& file) { return parse_safetensors_header(as_bytes(file), file.size(), "x.safetensors"); }

// nullopt if the file is accepted.
std::optional<Error> error_of(const std::string& file) {
  try {
    parse(file);
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  }
}

// What every accepted header guarantees.
void check_invariants(const SafetensorsHeader& header, std::size_t file_size) {
  std::uint64_t at = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    REQUIRE(entry.begin == at);
    REQUIRE(entry.end - entry.begin == entry.info.bytes);
    REQUIRE(tensor_bytes(entry.info.dtype, entry.info.shape, "t") == entry.info.bytes);
    at = entry.end;
  }
  REQUIRE(header.raw.size() + at == file_size);
  REQUIRE(header.data_bytes() == at);
}

}  // namespace

TEST_CASE("a header as Python writes it is read") {
  const SafetensorsHeader header = parse(kSmallFile);
  CHECK(header.metadata == std::map<std::string, std::string>{{"format", "pt"}});
  REQUIRE(header.entries.size() == 2);
  CHECK(header.entries[0] == SafetensorsEntry{{"w", DType::f32, {2, 3}, 24}, 0, 24});
  CHECK(header.entries[1] == SafetensorsEntry{{"n", DType::i8, {}, 1}, 24, 25});
  CHECK(as_text(header.raw) == kSmallFile.substr(0, kSmallFile.size() - 25));
}

TEST_CASE("the header alone is enough to read it") {
  const ByteSpan file = as_bytes(kSmallFile);
  const SafetensorsHeader header = parse_safetensors_header(file.first(file.size() - 25), file.size(), "x");
  CHECK(header.data_bytes() == 25);
}

TEST_CASE("every dtype of the format is read") {
  for (const DTypeInfo& row : dtype_table()) {
    const SafetensorsHeader header = parse(one_tensor(std::string(row.name), "[2,4]", row.bits));
    REQUIRE(header.entries.size() == 1);
    CHECK(header.entries[0].info == TensorInfo{"a", row.dtype, {2, 4}, row.bits});
  }
}

TEST_CASE("unusual but valid headers are read") {
  for (const HostileFile& sample : odd_but_valid_files()) {
    INFO(sample.why);
    CHECK_NOTHROW(check_invariants(parse(sample.bytes), sample.bytes.size()));
  }
}

TEST_CASE("hostile headers are refused with a line that names file and reason") {
  REQUIRE(hostile_files().size() >= 60);
  for (const HostileFile& sample : hostile_files()) {
    INFO(sample.why);
    const std::optional<Error> error = error_of(sample.bytes);
    REQUIRE(error);
    const std::string message = error->what();
    INFO(message);
    CHECK((error->code() == ErrorCode::corrupt || error->code() == ErrorCode::unsupported));
    CHECK(message.starts_with("x.safetensors"));
    CHECK(message.find(sample.message) != message.npos);
    CHECK(message.size() < 600);
    CHECK(std::ranges::none_of(message, [](unsigned char c) { return c < 0x20; }));
  }
}

TEST_CASE("an unknown dtype is unsupported, not corrupt") {
  CHECK(error_of(one_tensor("F128", "[0]", 0))->code() == ErrorCode::unsupported);
}

TEST_CASE("dimensions near the limits neither overflow nor wrap") {
  struct Case {
    const char* dimension;
    bool accepted;  // as the first of two dimensions, the second 0, with no data
  };
  const std::vector<Case> cases{
      {"0", true}, {"1", true}, {"2147483647", true}, {"2147483648", true}, {"2147483649", true}, {"4294967295", true},
      {"4294967296", true}, {"4294967297", true}, {"9223372036854775807", true}, {"9223372036854775808", false},
      {"9223372036854775809", false}, {"18446744073709551615", false}, {"18446744073709551616", false},
      {"36893488147419103232", false}, {"1e400", false},
  };
  for (const Case& row : cases) {
    INFO(row.dimension);
    const std::string with_zero = "[" + std::string(row.dimension) + ",0]";
    CHECK(!error_of(one_tensor("U8", with_zero, 0)) == row.accepted);
    const std::string squared = "[" + std::string(row.dimension) + "," + row.dimension + "]";
    const bool is_tiny = std::string_view(row.dimension) == "0";
    CHECK(!error_of(one_tensor("F32", squared, 0)) == is_tiny);
    const std::string offsets = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::string(row.dimension) + ",1]}}";
    CHECK(!error_of(safetensors_file(offsets, 1)) == is_tiny);
  }
}

TEST_CASE("a file cut off anywhere is refused") {
  for (std::size_t size = 0; size < kSmallFile.size(); ++size) {
    INFO("cut to " << size);
    const std::optional<Error> error = error_of(kSmallFile.substr(0, size));
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::corrupt);
  }
}

TEST_CASE("a file with any byte changed is refused or read consistently") {
  for (std::size_t at = 0; at < kSmallFile.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = kSmallFile;
      changed[at] = static_cast<char>(value);
      try {
        check_invariants(parse(changed), changed.size());
      } catch (const Error& error) {
        if (error.code() != ErrorCode::corrupt && error.code() != ErrorCode::unsupported) FAIL(error.what());
      }
    }
  }
}

TEST_CASE("a header of many tensors is read in about linear time") {
  std::string json = "{";
  constexpr std::size_t kCount = 20000;
  for (std::size_t i = 0; i < kCount; ++i) {
    json += (i > 0 ? ",\"t" : "\"t") + std::to_string(i) + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(i) +
            "," + std::to_string(i + 1) + "]}";
  }
  CHECK(parse(safetensors_file(json + "}", kCount)).entries.size() == kCount);
}
