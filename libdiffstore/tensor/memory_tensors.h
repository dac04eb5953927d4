#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// Small tensors in memory, in the order in which they were added (find() does not apply). Adding is for one thread, before it is read.
class MemoryTensors : public TensorSource {
 public:
  /// Returns the tensor's index. `bytes` are as many as `info` says.
  std::size_t add(TensorInfo info, Bytes bytes) {
    infos_.push_back(std::move(info));
    bytes_.push_back(std::move(bytes));
    return infos_.size() - 1;
  }

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override {
    const ByteSpan from = ByteSpan(bytes_[index]).subspan(offset, out.size());
    std::copy(from.begin(), from.end(), out.begin());
  }
  std::span<const std::byte> view(std::size_t index) const override { return bytes_[index]; }

 private:
  std::vector<TensorInfo> infos_;
  std::vector<Bytes> bytes_;
};

}  // namespace dstore
