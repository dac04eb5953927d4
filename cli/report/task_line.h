#pragma once

#include <vector>

#include "repo/commit_facts.h"
#include "task_stats.h"

namespace dstore::cli {

/// A task's commits with their evaluations, without sizes; oldest first, the newest 200, none of its base. Of a computed task only itself, without an id.
struct TaskLine {
  std::vector<CommitFacts> commits;

  const CommitFacts& head() const { return commits.back(); }
};

/// One for each task, along first parents from the commit that is looked at.
std::vector<TaskLine> task_lines(const Repository& repository, const ComparedTasks& compared);

}  // namespace dstore::cli
