#pragma once

#include <algorithm>
#include <cstring>

#include "repo/sandbox.h"
#include "tensor/float_convert.h"

namespace dstore::test {

/// Tensors in memory.
class MemorySource : public TensorSource {
 public:
  explicit MemorySource(std::vector<TestTensor> tensors) : held_(std::move(tensors)) {
    std::sort(held_.begin(), held_.end(), [](const TestTensor& a, const TestTensor& b) { return a.name < b.name; });
    for (const TestTensor& t : held_) infos_.push_back({t.name, t.dtype, t.shape, t.bytes.size()});
  }
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override {
    std::memcpy(out.data(), held_.at(index).bytes.data() + offset, out.size());
  }
  const std::string& bytes(const std::string& name) const { return held_.at(*find(name)).bytes; }

 private:
  std::vector<TestTensor> held_;
  std::vector<TensorInfo> infos_;
};

inline TestTensor floats(std::string name, std::vector<std::uint64_t> shape, unsigned seed, DType dtype = DType::f32) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, 0.05f);
  std::vector<float> values(element_count(shape, "test"));
  for (float& value : values) value = normal(engine);
  TestTensor out{std::move(name), dtype, std::move(shape), {}};
  out.bytes.resize(tensor_bytes(dtype, out.shape, "test"));
  convert_floats(DType::f32, std::as_bytes(std::span(values)), dtype, std::as_writable_bytes(std::span(out.bytes)));
  return out;
}

inline TestTensor cast(const TestTensor& from, DType to) {
  TestTensor out{from.name, to, from.shape, {}};
  out.bytes.resize(tensor_bytes(to, out.shape, "test"));
  convert_floats(from.dtype, as_bytes(from.bytes), to, std::as_writable_bytes(std::span(out.bytes)));
  return out;
}

/// The tensor with `rows` rows: cut, or followed by new ones that depend on the seed.
inline TestTensor with_rows(TestTensor t, std::uint64_t rows, unsigned seed) {
  std::vector<std::uint64_t> more = t.shape;
  more.front() = rows;
  const TestTensor fresh = floats("", more, seed, t.dtype);
  t.shape = more;
  const std::size_t had = t.bytes.size();
  t.bytes.resize(fresh.bytes.size());
  for (std::size_t i = had; i < t.bytes.size(); ++i) t.bytes[i] = fresh.bytes[i];
  return t;
}

/// A store for weights that are in no commit.
struct DeltaStore {
  Sandbox box;
  Repository repository = box.init("repository");

  ObjectId add_weights(const MemorySource& source) {
    PackSession session = repository.store().begin_write();
    WeightsTable table;
    for (std::size_t i = 0; i < source.tensors().size(); ++i) table.rows.push_back({source.tensors()[i].name, write_tensor(session, source, i)});
    const ObjectId id = session.add(ObjectKind::weights, table.serialize());
    session.commit();
    return id;
  }
};

}  // namespace dstore::test
