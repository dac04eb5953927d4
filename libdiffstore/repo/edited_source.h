#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "repo/align.h"
#include "repo/low_rank.h"

namespace dstore {

/// Single elements of a tensor that are replaced, or that numbers are added to.
struct SparseEdit {
  std::vector<std::uint64_t> positions;  ///< of elements, row-major; ascending without duplicates, inside the tensor
  const TensorSource* values = nullptr;
  std::size_t tensor = 0;       ///< of `values`
  std::uint64_t first = 0;      ///< element of that tensor that belongs to the first position; the others follow
  std::optional<float> scale{}; ///< set: result = base + scale * value, in F32, each operation rounded; else the value's bits
};

/// A tensor of a result, and how it comes from one of the base. At most one of `whole`, `low_rank` and `sparse` is set; without any it
/// is the base's tensor.
struct TensorEdit {
  std::string name;                 ///< in the result
  std::optional<std::size_t> base{};  ///< not set only with `whole`
  struct Whole {
    const TensorSource* source = nullptr;
    std::size_t index = 0;
  };
  std::optional<Whole> whole{};
  std::optional<LowRankFactors> low_rank{};
  std::optional<SparseEdit> sparse{};

  bool changes() const { return whole || low_rank || sparse; }
};

/// A model as a base with edits. The bits of an edit are the same on every machine; where arithmetic gives a NaN it is
/// Error{invalid_argument} naming the tensor. Reads begin and end at elements. Sources must outlive it; thread-safe.
class EditedSource : public TensorSource {
 public:
  /// Error{invalid_argument} if two tensors of the result have one name.
  EditedSource(const TensorSource& base, std::vector<TensorEdit> edits);

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override;

  /// For write_delta(): only tensors with an edit are looked at.
  std::vector<Pairing> pairs() const;
  std::map<std::string, LowRankFactors> low_rank() const;
  /// Elements of the base that edits touch: all of a tensor with factors.
  std::uint64_t touched() const;

 private:
  const TensorSource& base_;
  std::vector<TensorEdit> edits_;  ///< sorted by name
  std::vector<TensorInfo> infos_;
};

}  // namespace dstore
