#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "repo/align.h"
#include "repo/change_source.h"
#include "repo/stored_weights.h"

namespace dstore {

/// One model that a sum adds: its difference from the base, times `weight`.
struct SumTerm {
  std::string name;  ///< for messages
  double weight = 1;
  std::unique_ptr<TensorSource> weights;
  std::vector<Pairing> pairs;  ///< of its tensors, with those of the base
};

/// base + w1*a + w2*b, element by element (spec/merging.md, "Sums"). An element that no term changes keeps the base's bits; one that
/// a single term changes, at weight 1, has the term's.
class SumSource : public TensorSource, public ChangeSource {
 public:
  /// Error{conflict}: several terms with tensors that the base lacks, tensors of other shapes or dtypes, tensors without arithmetic that
  /// several terms change differently.
  SumSource(std::unique_ptr<StoredWeights> base, std::vector<SumTerm> terms);

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override;

  /// Nothing is sparse: what a term changes of a piece is calculated with as a whole.
  Touch touch(std::size_t index, std::uint64_t offset) const override;
  Changes changes(std::size_t index, std::uint64_t offset, ByteSpan base) const override;
  void make(std::size_t index, std::uint64_t offset, ByteSpan base, MutableByteSpan out) const override;

  const std::vector<Pairing>& pairs() const { return pairs_; }
  /// The term whose names and own tensors the result has: the one (of positive weight) with tensors that the base lacks, else the first
  /// of positive weight; none: the base's.
  std::optional<std::size_t> shape() const { return shape_; }

  /// Elements that one term changes, or several. Counted as pieces (kPieceBytes) are read whole, each once.
  struct Overlap {
    std::uint64_t changed = 0;
    std::uint64_t shared = 0;
  };
  Overlap overlap() const;

 private:
  struct Tensor {
    std::optional<std::size_t> base;
    std::vector<std::pair<std::size_t, std::size_t>> changed;  ///< term, its tensor: those that may differ from the base's
    bool whole = false;  ///< the bytes of the only one
  };
  Tensor plan(std::size_t base_index) const;
  void choose_shape();
  void check_same_form(std::size_t base_index) const;
  Overlap add(const Tensor& tensor, DType dtype, std::uint64_t offset, MutableByteSpan out) const;
  void add_part(std::size_t index, std::uint64_t offset, MutableByteSpan base) const;

  std::unique_ptr<StoredWeights> base_;
  std::vector<SumTerm> terms_;
  std::vector<std::vector<std::optional<std::size_t>>> of_base_;  ///< [term][base tensor]
  std::optional<std::size_t> shape_;
  std::vector<TensorInfo> infos_;
  std::vector<Tensor> tensors_;
  std::vector<Pairing> pairs_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::size_t, std::uint64_t>, Overlap> overlaps_;  ///< by tensor and piece
};

}  // namespace dstore
