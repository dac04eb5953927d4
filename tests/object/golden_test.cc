#include "base/scratch.h"
#include "catch.h"
#include "object/checkpoint_table.h"
#include "object/chunked.h"
#include "object/commit.h"
#include "object/delta_table.h"
#include "object/samples.h"
#include "object/weights_table.h"
#include "tensor/dtype.h"

namespace dstore::test {
namespace {

TEST_CASE("objects have the bytes and ids that spec/objects.md prints") {
  for (const Sample& sample : samples()) {
    INFO(sample.name);
    CHECK(sample.bytes == from_hex(sample.spec_hex));
    CHECK(object_id(sample.kind, sample.bytes).hex() == sample.spec_id);
    CHECK(sample.round_trip(sample.bytes) == sample.bytes);
  }
}

TEST_CASE("the chunk of the spec has its id") {
  CHECK(object_id(ObjectKind::chunk, from_hex("0000803f000000c0")).hex() == "3d1ba5d98f012703c5975359eef462772d3662bb64c26ec738d9b7f830418f61");
}

TEST_CASE("dtype codes and sizes are those of the spec's table") {
  const char* names[] = {"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "BF16", "F32", "F64", "C64", "F8_E4M3",
                         "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F6_E2M3", "F6_E3M2", "F4"};
  const int bits[] = {8, 8, 8, 16, 16, 32, 32, 64, 64, 16, 16, 32, 64, 64, 8, 8, 8, 8, 8, 6, 6, 4};
  REQUIRE(dtype_table().size() == std::size(names));
  for (std::size_t i = 0; i < std::size(names); ++i) {
    CHECK(dtype_info(*dtype_from_code(static_cast<std::uint8_t>(i + 1))).name == names[i]);
    CHECK(dtype_table()[i].bits == bits[i]);
  }
}

TEST_CASE("every dtype and shape of a tensor comes back") {
  for (const DTypeInfo& dtype : dtype_table()) {
    for (const std::vector<std::uint64_t>& shape : std::vector<std::vector<std::uint64_t>>{{8}, {0}, {4, 2, 1}, {0, 9, 1ull << 40}, {3 << 20, 8}}) {
      TensorObject tensor{dtype.dtype, shape, tensor_bytes(dtype.dtype, shape, "test"), {}};
      tensor.chunks.resize(chunk_count(tensor.bytes), object_id(ObjectKind::chunk, {}));
      const TensorObject parsed = TensorObject::parse(tensor.serialize(), "test");
      CHECK(parsed.dtype == tensor.dtype);
      CHECK(parsed.shape == tensor.shape);
      CHECK(parsed.bytes == tensor.bytes);
      CHECK(parsed.chunks == tensor.chunks);
    }
  }
  const TensorObject scalar{DType::f64, {}, 8, {object_id(ObjectKind::chunk, {})}};
  CHECK(TensorObject::parse(scalar.serialize(), "test").shape.empty());
}

TEST_CASE("tables do not depend on the order in which they were filled") {
  WeightsTable a, b;
  const ObjectId x = object_id(ObjectKind::tensor, as_bytes("x")), y = object_id(ObjectKind::tensor, as_bytes("y"));
  a.rows = {{"b", x}, {"a", y}, {"c", x}};
  b.rows = {{"c", x}, {"b", x}, {"a", y}};
  CHECK(a.serialize() == b.serialize());
  CHECK(a.find("b")->tensor == x);
  CHECK(a.find("d") == nullptr);
  CHECK(WeightsTable::parse(a.serialize(), "test").rows == a.rows);
}

TEST_CASE("a commit gives back every field") {
  const Bytes bytes = samples().back().bytes;
  const Commit commit = Commit::parse(bytes, "test");
  CHECK(commit.is_task());
  CHECK(commit.parents.size() == 1);
  CHECK(commit.metrics.front().value == "0.7512");
  CHECK(commit.metrics.front().n == 5000);
  CHECK(commit.fact("method") == "bitfit");
  CHECK(commit.fact("nothing").empty());
  CHECK(commit.subject() == "a task");
}

}  // namespace
}  // namespace dstore::test
