#pragma once

#include <string>

#include "task_stats.h"

namespace dstore::cli {

/// One row of a histogram of distances in ulps; neighbouring buckets are put together so that there are few.
struct UlpRow {
  std::string label;  ///< "1", "2-3", "2^10-2^11"
  std::uint64_t count = 0;
};
std::vector<UlpRow> ulp_rows(const DifferenceStats& stats);
/// What the histogram leaves out: "12 changed sign, 3 not finite"; empty if there is nothing to say.
std::string ulp_notes(const DifferenceStats& stats);

/// The same over a terminal, with bars; empty if there is nothing to count.
std::string ulp_text(const DifferenceStats& stats);
/// "1,234 of 22,713,216 weights changed (0.50 %) in 40 of 103 tensors; 10,010 weights in 2 new tensors".
std::string change_text(const TaskChanges& changes);
/// What a task changes, part by part, as wide as the terminal.
std::string part_table(const TaskChanges& changes, const Grouping& grouping);
/// How every two tasks on one base go together, and whether some are on different ones; empty for a single task.
std::string pair_table(const std::vector<std::string>& names, const std::vector<TaskPair>& pairs);

}  // namespace dstore::cli
