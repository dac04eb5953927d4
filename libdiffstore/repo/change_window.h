#pragma once

#include <optional>

#include "delta/segment.h"
#include "repo/stored_weights.h"

namespace dstore {

/// What a task changes in a range of one tensor of its base, a step at a time. Units are those of the result's dtype, which
/// are as many as the base's in the rows that both have; what lies beyond the base's end is not a change.
class ChangeWindow {
 public:
  /// Tensor `index` of `task` is derived from one of a base with `base_units` units. `first` is where a piece of it begins,
  /// `count` whole pieces or up to the tensor's end.
  ChangeWindow(const StoredWeights& task, std::size_t index, std::uint64_t first, std::uint64_t count, std::uint64_t base_units);

  /// Whether anything is changed here, as far as is known before reading.
  bool is_empty() const { return !always_ && changed_ == 0; }
  /// Whether read() is given the base's bytes: its tensor is neither converted nor made from factors.
  bool wants_base() const { return !always_; }
  /// Bytes of memory that reading takes at most, steps of `step` units.
  std::uint64_t memory(std::uint64_t step) const;
  /// Before the first step. `base`: the base's units of the range, if wants_base(). It must outlive the steps.
  void open(ByteSpan base, std::uint64_t step);
  /// The changes in [from, from + step), `from` a multiple of the step that open() was given (from the tensor's start).
  Changes step(std::uint64_t from) const;

  DType dtype() const { return task_.tensors()[index_].dtype; }

 private:
  Changes collect(std::uint64_t from, std::uint64_t count) const;
  Changes compare(std::uint64_t from, std::uint64_t count) const;
  bool has_coarse_blocks(std::uint64_t step) const { return block_ > step; }

  const StoredWeights& task_;
  std::size_t index_;
  std::uint64_t first_, count_, base_units_;
  std::uint64_t unit_;
  std::uint64_t changed_ = 0;
  std::uint64_t block_ = 0;  ///< the largest of the pieces here
  std::uint64_t step_ = 0;
  bool always_;              ///< has to be made: converted or from factors
  bool by_factors_;
  ByteSpan before_;          ///< the units before the pieces are applied (by factors: of the base)
  Bytes own_before_, after_;
  std::optional<Changes> held_;  ///< all, where blocks are longer than a step
};

}  // namespace dstore
