#pragma once

#include <string>

#include "report/task_line.h"

namespace dstore::cli {

// One function a section of the page, each in its file.

/// Layer by role, how many of the weights changed.
std::string density_section(const ComparedTasks& compared);
/// Histograms of distances in ulps.
std::string distance_section(const ComparedTasks& compared);
/// Overlap, cosine and conflicts of every two tasks on one base; empty if no two are.
std::string together_section(const ComparedTasks& compared);
/// What is stored for each task.
std::string size_section(const ComparedTasks& compared);
/// Metrics of each task's commits from its first one on: of training, and of evaluations that count.
std::string history_section(const ComparedTasks& compared, const std::vector<TaskLine>& lines);
/// Every evaluation of those commits; empty where there is none.
std::string evaluations_section(const ComparedTasks& compared, const std::vector<TaskLine>& lines);
/// Every number, part by part.
std::string table_section(const ComparedTasks& compared);

/// A heading for one task's share of a section, where there are several.
std::string task_heading(const ComparedTasks& compared, std::size_t task);

/// One step of a scale of colours: values up to `upto`.
struct ScaleStep {
  double upto;
  const char* style;
  const char* text;
};
const char* style_on(const ScaleStep* begin, const ScaleStep* end, double value);
std::string legend(const ScaleStep* begin, const ScaleStep* end);

}  // namespace dstore::cli
