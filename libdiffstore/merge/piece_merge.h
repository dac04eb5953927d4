#pragma once

#include <span>
#include <vector>

#include "delta/segment.h"
#include "merge/element_merge.h"

namespace dstore {

/// How one model changes a piece of the base; no reader: not at all.
struct ModelPiece {
  const SegmentReader* reader = nullptr;
  std::size_t index = 0;

  std::uint64_t changed() const { return reader == nullptr ? 0 : reader->pieces()[index].changed; }
};

/// Whether the changes of models are merged as such, or their whole pieces: where they change more than one element in
/// kDenseMergeShare between them, the loops over whole pieces are faster. The result is the same.
inline constexpr std::uint64_t kDenseMergeShare = 6;
bool merges_sparsely(const TensorMerge& merge, std::uint64_t units, std::uint64_t changed);

/// The elements that some model changes, in order, with the base's bits and every model's.
class ChangeUnion {
 public:
  /// Changes of units [first, first + units); each model's increase.
  ChangeUnion(DType dtype, std::uint64_t first, std::uint64_t units, std::vector<Changes> changes);
  /// Views of this.
  RawElements elements() const { return {{0, positions_}, base_, views_}; }
  std::size_t size() const { return positions_.size(); }

 private:
  std::vector<std::uint64_t> positions_;
  Bytes base_;
  std::vector<Bytes> models_;
  std::vector<ByteSpan> views_;
};

/// The piece of the base that starts at unit `first`, and what the models make of it (spec/merging.md): the merge without a
/// dense tensor. `window` as in ElementMerge. For look(), merge.only_changes() must hold.
class PieceMerge {
 public:
  PieceMerge(DType dtype, std::uint64_t first, ByteSpan base, std::span<const ModelPiece> models, std::string_view tensor, std::size_t window = kMergeWindow);

  void look(TensorMerge& merge);
  /// What the merge changes in the base's piece.
  Changes apply(const TensorMerge& merge);

 private:
  DType dtype_;
  ChangeUnion union_;
  ElementMerge elements_;
};

}  // namespace dstore
