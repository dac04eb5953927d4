#include "catch.h"
#include "dstore/error.h"
#include "tensor/dtype.h"
#include "tensor/safetensors.h"
#include "tensor/safetensors_samples.h"

using namespace dstore;

namespace {

std::string json_of(const Bytes& header) { return std::string(as_text(header).substr(8)); }

std::vector<TensorInfo> infos_of(const SafetensorsHeader& header) {
  std::vector<TensorInfo> infos;
  for (const SafetensorsEntry& entry : header.entries) infos.push_back(entry.info);
  return infos;
}

SafetensorsHeader parse(const Bytes& header, std::uint64_t data_bytes) {
  return parse_safetensors_header(header, header.size() + data_bytes, "x");
}

}  // namespace

TEST_CASE("a rendered header has the bytes of the format") {
  const std::vector<TensorInfo> tensors{{"b", DType::i8, {}, 1}, {"a", DType::f32, {2, 3}, 24}, {"e", DType::f64, {0, 7}, 0}};
  CHECK(json_of(render_safetensors_header(tensors, {{"format", "pt"}})) ==
        R"({"__metadata__":{"format":"pt"},"b":{"dtype":"I8","shape":[],"data_offsets":[0,1]},)"
        R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[1,25]},"e":{"dtype":"F64","shape":[0,7],"data_offsets":[25,25]}}    )");
  CHECK(json_of(render_safetensors_header({}, {})) == "{}      ");
}

TEST_CASE("a written header puts wide dtypes first, then sorts by name") {
  const std::vector<TensorInfo> tensors{{"z", DType::f32, {1}, 4}, {"a", DType::u8, {1}, 1}, {"b", DType::f32, {1}, 4}, {"y", DType::i64, {1}, 8}};
  const SafetensorsPlan plan = write_safetensors_header(tensors, {});
  CHECK(plan.order == std::vector<std::size_t>{3, 2, 0, 1});
  const SafetensorsHeader header = parse(plan.header, 17);
  CHECK(header.entries[0].info.name == "y");
  CHECK(header.raw == plan.header);
}

TEST_CASE("every dtype and awkward names survive writing and reading") {
  std::vector<TensorInfo> tensors;
  std::uint64_t bytes = 0;
  for (const DTypeInfo& row : dtype_table()) {
    tensors.push_back({"\"\\/ \xce\xb8\xe2\x80\xa8 " + std::string(row.name), row.dtype, {8, 1}, row.bits});
    bytes += row.bits;
  }
  const std::map<std::string, std::string> metadata{{"k\n", "\x01\t\"\\"}, {"", ""}};
  const SafetensorsHeader header = parse(render_safetensors_header(tensors, metadata), bytes);
  CHECK(infos_of(header) == tensors);
  CHECK(header.metadata == metadata);
  CHECK(render_safetensors_header(infos_of(header), metadata) == header.raw);
}

TEST_CASE("what no reader would accept is not written") {
  const auto refused = [](std::vector<TensorInfo> tensors) { CHECK_THROWS_AS(render_safetensors_header(tensors, {}), Error); };
  refused({{"", DType::u8, {1}, 1}});
  refused({{"__metadata__", DType::u8, {1}, 1}});
  refused({{"a\n", DType::u8, {1}, 1}});
  refused({{"\xff", DType::u8, {1}, 1}});
  refused({{std::string(1025, 'a'), DType::u8, {1}, 1}});
  refused({{"a", DType::u8, {2}, 1}});
  refused({{"a", DType::u8, {std::uint64_t{1} << 63, 0}, 0}});
  refused({{"a", DType::u8, std::vector<std::uint64_t>(65, 1), 1}});
  refused({{"a", DType::u8, {1}, 1}, {"a", DType::u8, {1}, 1}});
  CHECK_THROWS_AS(render_safetensors_header({}, {{"k", "\xff"}}), Error);
}

TEST_CASE("renaming keeps order, offsets and metadata") {
  const std::string json = R"({"b":{"data_offsets":[1,2],"dtype":"U8","shape":[1]},"__metadata__":{"y":"2","b":"1"},)"
                           R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  const std::string file = safetensors_file(json, 2);
  const SafetensorsHeader header = parse_safetensors_header(as_bytes(file), file.size(), "x");
  CHECK(rename_in_header(header, {}) == header.raw);
  const Bytes renamed = rename_in_header(header, {{"b", "bert.\"b\""}});
  CHECK(json_of(renamed).starts_with(R"({"bert.\"b\"":{"data_offsets":[1,2],"dtype":"U8","shape":[1]},"__metadata__":{"y":"2","b":"1"},"a":{)"));
  CHECK(renamed.size() % 8 == 0);
  const SafetensorsHeader again = parse(renamed, 2);
  CHECK(again.metadata == header.metadata);
  CHECK(again.entries[0].info.name == "a");
  CHECK(again.entries[1].info.name == "bert.\"b\"");
  const SafetensorsHeader swapped = parse(rename_in_header(header, {{"a", "b"}, {"b", "a"}}), 2);
  CHECK(swapped.entries[0].info.name == "b");
}

TEST_CASE("renaming there and back gives the header that Python wrote") {
  const SafetensorsHeader header = parse_safetensors_header(as_bytes(kSmallFile), kSmallFile.size(), "x");
  const SafetensorsHeader there = parse(rename_in_header(header, {{"w", "bert.w"}, {"n", "bert.n"}}), 25);
  CHECK(rename_in_header(there, {{"bert.w", "w"}, {"bert.n", "n"}}) == header.raw);
}

TEST_CASE("renamings that lose a tensor are refused") {
  const SafetensorsHeader header = parse_safetensors_header(as_bytes(kSmallFile), kSmallFile.size(), "x");
  const auto refused = [&](const std::map<std::string, std::string>& renames) {
    try {
      rename_in_header(header, renames);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::invalid_argument);
    }
  };
  refused({{"w", "n"}});
  refused({{"missing", "x"}});
  refused({{"w", ""}});
  refused({{"w", "__metadata__"}});
  refused({{"w", "x"}, {"n", "x"}});
}
