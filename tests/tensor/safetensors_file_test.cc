#include "tensor/safetensors_file.h"

#include "catch.h"
#include "dstore/error.h"
#include "temporary_folder.h"

using namespace dstore;

TEST_CASE("a single file's tensors are listed by name and read with and without a copy") {
  const TemporaryFolder folder;
  const std::vector<TensorInfo> infos{{"b", DType::u8, {3}, 3}, {"a", DType::u8, {2}, 2}, {"none", DType::u8, {0}, 0}};
  const std::string header(as_text(render_safetensors_header(infos, {})));
  folder.write("f.safetensors", header + "bcdxy");
  const SafetensorsFile file(folder.path("f.safetensors"));
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.tensors()[0].name == "a");
  CHECK(as_text(file.view(0)) == "xy");
  CHECK(as_text(file.view(1)) == "bcd");
  CHECK(file.view(2).empty());
  Bytes two(2);
  file.read(1, 1, two);
  CHECK(as_text(two) == "cd");
  CHECK(file.bytes().size() == header.size() + 5);
}

TEST_CASE("a missing, cut or empty file is refused by name") {
  const TemporaryFolder folder;
  const std::vector<TensorInfo> infos{{"a", DType::u8, {3}, 3}};
  const std::string whole = std::string(as_text(render_safetensors_header(infos, {}))) + "abc";
  CHECK_THROWS_AS(SafetensorsFile(folder.path("missing")), Error);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    folder.write("cut", whole.substr(0, size));
    CHECK_THROWS_AS(SafetensorsFile(folder.path("cut")), Error);
  }
}
