#pragma once

#include <memory>
#include <vector>

#include "merge/piece_merge.h"
#include "tensor_pairs.h"

namespace dstore::testing {

/// A base of one piece, tasks of it and their segments.
struct Models {
  DType dtype;
  Bytes base;
  std::vector<Bytes> tasks;
  std::vector<Bytes> segments;
  std::vector<std::unique_ptr<SegmentReader>> readers;

  std::uint64_t elements() const { return unit_count(dtype, base.size()); }
  std::vector<ModelPiece> pieces() const {
    std::vector<ModelPiece> out;
    for (const auto& reader : readers) out.push_back({reader.get(), 0});
    return out;
  }
  std::vector<std::uint64_t> changed() const {
    std::vector<std::uint64_t> out;
    for (const Bytes& task : tasks) out.push_back(count_changed(dtype, base, task));
    return out;
  }
};

/// Tasks share about half of what they change; every fourth change is to a copy of the base's value with the other sign.
Models make_models(DType dtype, std::uint64_t elements, std::size_t count, double density, Change change, std::uint64_t seed);

/// Statistics of one tensor in memory.
class OneTensor : public TensorSource {
 public:
  OneTensor(std::vector<std::uint64_t> shape, const std::vector<double>& values);
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t, std::uint64_t offset, std::span<std::byte> out) const override { std::copy_n(bits_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin()); }

 private:
  Bytes bits_;
  std::vector<TensorInfo> infos_;
};

/// What the method needs of each model of a tensor of so many elements in rows of 25.
std::vector<OneTensor> make_statistics(const MergeMethod& method, std::size_t models, std::size_t elements);

/// Settings with which the method has the most to do: the defaults, and every choice of every word.
std::vector<MergeSettings::Given> interesting_settings(const MergeMethod& method);
/// "NAME=VALUE" of each, for messages.
std::string text_of(const MergeSettings::Given& given);

}  // namespace dstore::testing
