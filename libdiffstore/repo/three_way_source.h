#pragma once

#include <memory>

#include "repo/three_way_plan.h"
#include "repo/write_delta.h"

namespace dstore {

/// How the changes of two sides meet, in elements (units of delta/element.h). Sums are over elements where all three are finite, of
/// dtypes that are calculated with.
struct ConflictCounts {
  static constexpr std::size_t kDistances = 17;
  std::uint64_t elements = 0;
  std::uint64_t ours = 0, theirs = 0;  ///< changed by one side alone
  std::uint64_t same = 0;              ///< changed alike
  std::uint64_t conflict = 0;          ///< changed differently
  std::uint64_t opposed = 0;           ///< in conflict, with changes of opposite sign
  double ours_energy = 0, theirs_energy = 0;  ///< sum of squared changes
  double conflict_energy = 0;                 ///< of both, of what is in conflict
  double product = 0;                         ///< of the changes
  /// |ours - theirs| of what is in conflict in units of the last place: 1, 2-3, 4-7, …, from 2^15 on; last: not finite, or no float.
  std::array<std::uint64_t, kDistances> distances{};

  std::uint64_t changed() const { return ours + theirs + same + conflict; }
  double energy_in_conflict() const;  ///< share
  double cosine() const;              ///< of the two changes; 0 where one is none
  ConflictCounts& operator+=(const ConflictCounts& other);
};

struct ConflictReport {
  struct Tensor {
    std::string name;
    ConflictCounts counts;
  };
  ConflictCounts all;
  std::vector<Tensor> tensors;          ///< that a side changes, by name
  std::vector<TensorConflict> whole;
  std::uint64_t unresolved = 0;         ///< elements and tensors in conflict for which the resolution says nothing
};

/// The result of a three-way merge, element by element on the bits. The settings of the resolution must outlive it.
class ThreeWaySource : public TensorSource {
 public:
  /// `ours` and `theirs` pair their tensors with those of the base model. Error{conflict} where the result would have two tensors of a name.
  ThreeWaySource(PerSide<std::unique_ptr<TensorSource>> models, const std::vector<Pairing>& ours, const std::vector<Pairing>& theirs, const Resolution& resolution,
                 bool common_rows);

  /// Reads all that differs once, and more often where the method wants to; before read().
  ConflictReport analyse(const Progress& progress);

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override;

  const TensorSource& model(Side side) const { return *models_[side]; }
  /// The tensors of the result with those of one side.
  std::vector<Pairing> pairs_with(Side side) const;

 private:
  struct Views;
  void load(const PlannedTensor& tensor, std::uint64_t offset, std::uint64_t size, Views& out) const;
  void merge(std::size_t index, std::uint64_t offset, MutableByteSpan out) const;
  ConflictCounts count(const PlannedTensor& tensor, std::uint64_t offset, std::uint64_t size) const;
  void run_passes(const Progress& progress);

  PerSide<std::unique_ptr<TensorSource>> models_;
  Resolution resolution_;
  ThreeWayPlan plan_;
  std::vector<TensorInfo> infos_;
  std::vector<std::unique_ptr<TensorMerge>> methods_;  ///< by tensor, for what is in conflict; null: none needed
};

}  // namespace dstore
