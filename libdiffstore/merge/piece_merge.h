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
/// kDenseMergeShare between them, the loops over whole pieces are faster (three tasks of 5, 10, 20, 30 % each, whole pieces in 1.9, 1.5, 0.75,
/// 0.54 x the time of changes: `merge_bench both`). The result is the same.
inline constexpr std::uint64_t kDenseMergeShare = 3;
bool merges_sparsely(const TensorMerge& merge, std::uint64_t units, std::uint64_t changed);

/// The elements that some model changes, with the base's bits and every model's: some thousands at a time, which stay in the cache.
class ChangeUnion {
 public:
  /// Changes of units [first, first + units), increasing; they must outlive it.
  ChangeUnion(DType dtype, std::uint64_t first, std::uint64_t units, std::span<const Changes> models);
  /// Goes to the next elements in order; false after the last.
  bool next();
  /// Of these; views of this.
  RawElements elements() const { return {{0, std::span(positions_).first(count_)}, base_view(), views_}; }

 private:
  void add_range(std::uint64_t begin, std::uint64_t end);
  template <class U>
  void put_values(std::size_t added);
  ByteSpan base_view() const { return ByteSpan(base_).first(count_ * unit_); }

  /// What has been taken of a model's changes.
  struct Model {
    const Changes& changes;
    std::size_t begin = 0, end = 0;  ///< of the range at hand
    Bytes values{};
    bool touched = false;            ///< by the elements at hand
  };
  unsigned unit_;
  std::uint64_t first_, at_, end_;
  std::vector<Model> models_;
  std::size_t count_ = 0;
  std::vector<std::uint64_t> words_;       ///< a bit for each unit of a range
  std::vector<std::uint32_t> ones_;
  std::vector<std::uint16_t> places_;      ///< of units of a range among its elements
  std::vector<std::uint64_t> positions_;   ///< the first count_ count, as in all that follow
  Bytes base_;
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
  ChangeUnion elements() const { return ChangeUnion(dtype_, first_, units_, models_); }

  DType dtype_;
  std::uint64_t first_, units_;
  std::vector<Changes> models_;
  ElementMerge merge_;
};

}  // namespace dstore
