#pragma once

#include <string>
#include <vector>

#include "repo/commit_size.h"
#include "repo/compare_tasks.h"
#include "study/cell_stage.h"
#include "study/paired.h"
#include "task_stats.h"

namespace dstore::cli {

/// A run that is done.
struct RunResult {
  const Cell* cell = nullptr;
  CellDetails details;
  CommitSizes sizes;

  /// Weights and head as stored, without the base, side files and records.
  std::uint64_t bytes() const { return sizes.delta + sizes.added; }
  std::optional<double> number(const char* fact) const;
  /// Accuracy on training texts minus that on dev.
  std::optional<double> gap() const;
};

/// Runs that differ in nothing but the seed.
struct RunGroup {
  const StudyTask* task = nullptr;
  const StudyMethod* method = nullptr;
  std::optional<double> density;
  bool sweep = false;
  std::vector<const RunResult*> runs;

  /// "fish", "fish at 0.1 %" of a sweep.
  std::string label() const;
  std::optional<MeanStd> mean(std::optional<double> (*value)(const RunResult&)) const;
};

struct GroupComparison {
  const RunGroup* group = nullptr;
  const RunGroup* against = nullptr;
  PairedInterval interval;
};

/// How the masks of one task's runs lie: of methods with a density, without those of sweeps.
struct TaskMasks {
  const StudyTask* task = nullptr;
  std::vector<const RunResult*> runs;  ///< as in `compared`
  ComparedTasks compared;
};

/// What is known of a study, from its commits alone. Immovable: its parts point at each other.
class Results {
 public:
  Results(const Repository& repository, const Study& study, const Cells& cells, const Progress& progress);
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;

  const Study& study;
  const Cells& cells;
  std::vector<RunResult> runs;
  std::vector<RunGroup> groups;  ///< with at least one run
  std::vector<GroupComparison> comparisons;  ///< every group with the one of the same task that the study compares with
  std::vector<TaskMasks> masks;

  const RunGroup* group(const std::string& task, const std::string& method) const;
  /// Over the seeds that both have.
  static std::optional<PairedInterval> compare(const RunGroup& a, const RunGroup& b);
};

/// The first metric on the test texts.
std::optional<double> test_score(const RunResult& run);
std::optional<double> dev_score(const RunResult& run);

}  // namespace dstore::cli
