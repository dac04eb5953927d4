#pragma once

#include "delta/element.h"
#include "repo/sandbox.h"
#include "repo/stored_weights.h"

namespace dstore::test {

inline constexpr DType kFloats[] = {DType::f16, DType::bf16, DType::f32, DType::f64, DType::c64};

/// A tensor with any bits among ordinary numbers: NaN payloads, infinities, zeros of both signs.
inline TestTensor wild(std::string name, std::vector<std::uint64_t> shape, unsigned seed, DType dtype) {
  TestTensor out = tensor(std::move(name), std::move(shape), seed, dtype);
  std::mt19937 engine(seed + 1000);
  const std::size_t unit = unit_type(dtype).bytes;
  for (std::size_t at = 0; at < out.bytes.size(); at += unit) {
    const unsigned kind = engine() % 16;
    for (std::size_t i = 0; i < unit && kind < 3; ++i) out.bytes[at + i] = kind == 0 ? static_cast<char>(engine()) : '\0';
    if (kind == 1) out.bytes[at + unit - 1] = static_cast<char>(0x80);
  }
  return out;
}

/// About one unit in `every` with other bits: any, another sign, another last bit.
inline TestTensor changed(TestTensor tensor, unsigned every, unsigned seed) {
  std::mt19937 engine(seed);
  const std::size_t unit = unit_type(tensor.dtype).bytes;
  for (std::size_t at = 0; at < tensor.bytes.size(); at += unit) {
    if (engine() % every != 0) continue;
    const unsigned kind = engine() % 8;
    for (std::size_t i = 0; i < unit && kind == 0; ++i) tensor.bytes[at + i] = static_cast<char>(engine());
    if (kind == 1) tensor.bytes[at + unit - 1] ^= static_cast<char>(0x80);
    if (kind > 1) tensor.bytes[at] ^= static_cast<char>(1 + engine() % 3);
  }
  return tensor;
}

/// One tensor of each float dtype, and integers.
inline std::vector<TestTensor> wild_model(unsigned seed, std::uint64_t rows = 300) {
  std::vector<TestTensor> out;
  for (const DType dtype : kFloats) out.push_back(wild("w." + std::string(dtype_info(dtype).name), {rows, 8}, seed++, dtype));
  out.push_back(tensor("ids", {6}, seed, DType::i64));
  return out;
}

inline std::vector<TestTensor> changed_model(std::vector<TestTensor> tensors, unsigned every, unsigned seed) {
  for (TestTensor& t : tensors) {
    if (t.name != "ids") t = changed(std::move(t), every, seed++);
  }
  return tensors;
}

inline std::string read_tensor(const TensorSource& weights, const std::string& name) {
  const std::size_t index = weights.find(name).value();
  std::string out(weights.tensors()[index].bytes, '\0');
  weights.read(index, 0, std::as_writable_bytes(std::span(out)));
  return out;
}

/// A repository with a base.
struct RepositoryWithBase {
  Sandbox box;
  Repository repository = box.init("r");
  std::vector<TestTensor> base = wild_model(1);
  RepositoryWithBase() {
    make_model(box.dir / "base", base);
    box.import(repository, box.dir / "base", "base");
  }
  ObjectId id(const std::string& revision) { return resolve_commit(repository, revision); }
  void point(const std::string& name, const std::string& at) { REQUIRE(point_ref(repository, RefName::parse(name), RefKind::branch, {}, id(at), box.committer())); }
};

}  // namespace dstore::test
