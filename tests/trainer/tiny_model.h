#pragma once

#include <bit>
#include <cmath>
#include <cstring>
#include <map>

#include "dstore/model.h"
#include "tensor/dtype.h"
#include "trainer/loop/task_data.h"
#include "trainer/model/parameters.h"
#include "trainer/text/philox.h"

namespace dstore::test {

/// A model in memory.
class MemoryTensors : public TensorSource {
 public:
  void add(const std::string& name, DType dtype, std::vector<std::uint64_t> shape, std::vector<std::byte> bytes) {
    data_[name] = {{name, dtype, std::move(shape), bytes.size()}, std::move(bytes)};
    infos_.clear();
    for (const auto& [key, value] : data_) infos_.push_back(value.first);
  }
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override {
    std::memcpy(out.data(), data_.at(infos_[index].name).second.data() + offset, out.size());
  }

 private:
  std::map<std::string, std::pair<TensorInfo, std::vector<std::byte>>> data_;
  std::vector<TensorInfo> infos_;
};

inline ModelConfig tiny_config() {
  ModelConfig c;
  c.model_type = "bert";
  c.vocabulary = 61;
  c.hidden = 12;  // rows that do not start at multiples of the noise block
  c.layers = 2;
  c.heads = 3;
  c.intermediate = 20;
  c.positions = 16;
  c.token_types = 2;
  c.pad_id = 0;
  c.hidden_dropout = c.attention_dropout = c.classifier_dropout = 0.1;
  return c;
}

/// A BERT of that config with random values, under bare names, plus an integer buffer as old checkpoints have it.
inline MemoryTensors tiny_bert(const ModelConfig& config, DType dtype = DType::f32) {
  MemoryTensors tensors;
  const ModelFamily& family = *find_family("bert");
  std::uint32_t number = 0;
  for (const RoleName& row : family.names) {
    const RoleInfo& info = role_info(row.role);
    if (info.part == RolePart::head) continue;
    for (std::int64_t layer = 0; layer < (info.part == RolePart::layer ? config.layers : 1); ++layer) {
      const auto shape = role_shape(row.role, config, 0);
      const std::uint64_t count = element_count(shape, "tiny");
      const Philox noise(5, RandomStream::head_init, 1, number++);
      std::vector<std::byte> bytes(tensor_bytes(dtype, shape, "tiny"));
      for (std::uint64_t i = 0; i < count; ++i) {
        const float value = static_cast<float>(0.2 * noise.normal(i)) + (info.kind == RoleKind::norm_weight ? 1.0f : 0.0f);
        if (dtype == DType::f32) {
          std::memcpy(bytes.data() + 4 * i, &value, 4);
        } else {
          const auto half = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);  // bf16
          std::memcpy(bytes.data() + 2 * i, &half, 2);
        }
      }
      tensors.add(tensor_name(family, row.role, layer), dtype, shape, std::move(bytes));
    }
  }
  tensors.add("embeddings.position_ids", DType::i64, {1, 16}, std::vector<std::byte>(128));
  return tensors;
}

/// Examples whose class is decided by their first word.
inline TaskData tiny_task(std::size_t examples = 48) {
  TaskData data;
  data.labels = LabelMap({"a", "b", "c"});
  PhiloxSequence draw(Philox(3, RandomStream::sampling));
  for (std::size_t i = 0; i < examples; ++i) {
    Example example;
    example.label = static_cast<std::int32_t>(draw.below(3));
    example.encoding.ids = {1, 2 + example.label};
    const std::uint32_t length = 3 + draw.below(6);
    while (example.encoding.ids.size() < length) example.encoding.ids.push_back(static_cast<std::int32_t>(5 + draw.below(30)));
    example.encoding.type_ids.assign(example.encoding.ids.size(), 0);
    data.train.examples.push_back(std::move(example));
  }
  data.train.labelled = true;
  return data;
}

}  // namespace dstore::test
