#pragma once

#include <optional>
#include <vector>

#include "delta/difference.h"
#include "repo/write_delta.h"

namespace dstore {

/// What a task does to one tensor of its result.
struct TensorChange {
  enum class How { same, renamed, changed, added };
  How how = How::same;
  TensorInfo info;                 ///< of the result
  std::optional<TensorInfo> base;  ///< what it was; none for `added`
  std::uint64_t rank = 0;          ///< of the factors that are part of its difference; 0: none
  std::uint64_t new_units = 0;     ///< that the base does not have: rows of a longer tensor, all of an added one
  std::uint64_t bytes = 0;         ///< encoded difference, factors, chunks of an added tensor, as stored
  /// Over the units that the base has too. Where the dtype differs, against the base brought to the new one.
  DifferenceStats difference;
};

/// One task: its tensors, by name, and their sum.
struct TaskChanges {
  std::vector<TensorChange> tensors;
  std::uint64_t removed = 0;  ///< tensors of the base that the result lacks
  DifferenceStats total;
};

/// How two tasks on one base change the same units. Energy is the sum of squared differences.
struct TaskPair {
  std::size_t a = 0, b = 0;       ///< indexes into the tasks given
  std::uint64_t shared = 0;       ///< units that both change
  std::uint64_t either = 0;       ///< units that one of them changes
  std::uint64_t comparable = 0;   ///< shared units of which both differences are numbers other than 0
  std::uint64_t opposite = 0;     ///< of those, units that one raises and the other lowers
  double dot = 0;                 ///< inner product of the differences
  double energy_a = 0, energy_b = 0;
  double opposite_energy = 0;     ///< of both tasks, in units of `opposite`

  double jaccard() const;        ///< shared / either
  double cosine() const;         ///< of the two differences, all units
  double conflict_rate() const;  ///< opposite / comparable
  double conflict_energy() const;  ///< opposite_energy / (energy_a + energy_b)
};

struct TaskComparison {
  std::vector<TaskChanges> tasks;
  std::vector<TaskPair> pairs;  ///< of tasks on one base, in order of (a, b)
};

/// A task as its delta makes it. `weights` is StoredWeights::load(store, delta).
struct TaskView {
  const DeltaTable* delta = nullptr;
  const StoredWeights* weights = nullptr;
};

/// Reads the base's chunks that a stored piece belongs to, once for all tasks, and of tasks what changed; tensors with
/// low-rank factors are made. Memory does not grow with the model. Sums are taken in a fixed order: the result does not
/// depend on the number of threads (0: all cores).
TaskComparison compare_tasks(const ObjectStore& store, const std::vector<TaskView>& tasks, unsigned threads, const Progress& progress);

}  // namespace dstore
