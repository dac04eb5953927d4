#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dstore/tensor.h"
#include "repo/align.h"

namespace dstore {

/// A trained model as a whole: the tensors it started from under the names of the result, the staged ones in their place.
class OverlaySource : public TensorSource {
 public:
  /// All three must outlive it; `pairs` as pair_up() gives them.
  OverlaySource(const TensorSource& base, const TensorSource& staged, const std::vector<Pairing>& pairs);

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  const TensorSource& base_;
  const TensorSource& staged_;
  const std::vector<Pairing>& pairs_;
  std::vector<TensorInfo> infos_;
};

/// The tensors of a stage (spec/repository.md, "Stages") beside those it started from, sorted by name; `prefix` is its base_prefix.
std::vector<Pairing> pair_up(const TensorSource& base, const TensorSource& staged, const std::string& prefix);

}  // namespace dstore
