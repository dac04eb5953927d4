#pragma once

#include <optional>
#include <vector>

#include "repo/select_entries.h"

namespace dstore {

/// A task of whose change only the selected entries are left: these have the task's bits, all others the base's. Tensors that
/// ChangeRanks does not list are the task's. The ranks must outlive it.
class SparseSource : public TensorSource {
 public:
  SparseSource(const ChangeRanks& ranks, std::vector<Cut> cuts);

  const std::vector<TensorInfo>& tensors() const override { return ranks_.task().tensors(); }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  const ChangeRanks& ranks_;
  std::vector<Cut> cuts_;
  std::vector<std::optional<std::size_t>> ranked_;  ///< of each tensor, where it stands in ranks_.tensors()
};

}  // namespace dstore
