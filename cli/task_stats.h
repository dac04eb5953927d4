#pragma once

#include <memory>
#include <string>
#include <vector>

#include "repo/commit_size.h"
#include "repo/compare_tasks.h"
#include "repo/open_task.h"
#include "session.h"
#include "tensor_place.h"

namespace dstore::cli {

/// A task that is looked at.
struct TaskStats {
  std::string revision;
  std::string expression;  ///< of a computed one, pinned; else empty
  CheckedCommit commit;    ///< of a computed one no id, and of its content what a commit would say of the method
  CommitSizes sizes;       ///< of a computed one what a commit would store of the difference: without side files and records
  OpenTask task;

  bool is_computed() const { return !expression.empty(); }
};

/// Tasks, what each of them changes, and how those on one base go together.
struct ComparedTasks {
  std::vector<TaskStats> tasks;
  TaskComparison comparison;
};

/// Error{invalid_argument} if a revision is no task. A computed one is encoded as a commit of it would be.
ComparedTasks compare_revisions(const Repository& repository, CommitSizer& sizer, const std::vector<std::string>& revisions, const Progress& progress);

/// What a task changes in some of its tensors.
struct PartStats {
  std::string name;
  std::uint64_t tensors = 0;
  std::uint64_t modified = 0;
  std::uint64_t new_units = 0;
  std::uint64_t bytes = 0;  ///< as stored
  DifferenceStats difference;

  void add(const TensorChange& tensor);
};

/// How `--by` puts tensors together.
struct Grouping {
  const char* name;  ///< "layer", "role", "tensor"
  std::vector<PartStats> (*parts)(const TaskChanges&);
};
/// Error{invalid_argument} with the names there are.
const Grouping& find_grouping(const std::string& name);

std::vector<PartStats> parts_by_layer(const TaskChanges& changes);
std::vector<PartStats> parts_by_role(const TaskChanges& changes);
PartStats whole_task(const TaskChanges& changes);
/// Whether the layers of a model belong to several stacks (encoder and decoder).
bool has_stacks(const TaskChanges& changes);

}  // namespace dstore::cli
