#pragma once

#include <vector>

#include "dstore/tensor.h"
#include "repo/align.h"

namespace dstore {

/// A task's tensors in the dtypes of their base (fp32 → bf16 or fp16 to nearest even); all others as they are.
/// Both sources must outlive it.
class CastSource : public TensorSource {
 public:
  CastSource(const TensorSource& task, const TensorSource& base, const std::vector<Pairing>& pairs);

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override;
  std::span<const std::byte> view(std::size_t index) const override;
  /// Tensors that are cast.
  std::size_t casts() const { return casts_; }

 private:
  const TensorSource& task_;
  std::vector<TensorInfo> infos_;
  std::size_t casts_ = 0;
};

}  // namespace dstore
