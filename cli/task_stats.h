#pragma once

#include <map>
#include <memory>
#include <optional>

#include "repo/commit_size.h"
#include "delta/stats.h"
#include "repo/model_files.h"
#include "repo/write_delta.h"
#include "tensor_role.h"

namespace dstore::cli {

/// What a task changes in one part of the network.
struct RoleStats {
  std::uint64_t tensors = 0;
  std::uint64_t modified = 0;
  std::uint64_t new_elements = 0;  ///< in tensors that the base does not have
  DifferenceStats difference;      ///< against the base, tensors of both
  std::uint64_t bytes = 0;         ///< encoded differences and new tensors as stored

  RoleStats& operator+=(const RoleStats& other);
};

/// A task that is looked at, and its base.
struct TaskStats {
  std::string revision;
  CheckedCommit commit;
  CommitSizes sizes;
  DeltaTable delta;
  std::unique_ptr<StoredWeights> weights;
  std::map<TensorRole, RoleStats> roles;
  RoleStats total;
};

/// Compares every modified tensor with its base, on all cores. Error{invalid_argument} if the revision is no task.
TaskStats task_stats(const Repository& repository, CommitSizer& sizer, const std::string& revision, const Progress& progress);

/// How far two tasks change the same weights of their base.
struct Overlap {
  std::size_t a = 0, b = 0;  ///< indexes into the tasks given
  std::uint64_t shared = 0;  ///< units that both change
  std::uint64_t either = 0;  ///< units that one of them changes
  double jaccard() const { return either == 0 ? 0 : static_cast<double>(shared) / static_cast<double>(either); }
};

/// For every pair of tasks on one base, from the positions in their segments.
std::vector<Overlap> support_overlaps(const Repository& repository, const std::vector<TaskStats>& tasks);

}  // namespace dstore::cli
