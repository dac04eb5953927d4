#include "study/results.h"

#include <algorithm>

#include "base/decimal.h"

namespace dstore::cli {
namespace {

bool belongs(const RunGroup& group, const Cell& cell) {
  return group.task == cell.task && group.method == cell.method && group.sweep == cell.sweep && group.density == cell.density;
}

TaskMasks masks_of(const Repository& repository, const StudyTask& task, const std::vector<RunGroup>& groups, const Progress& progress) {
  TaskMasks out;
  out.task = &task;
  std::vector<std::string> commits;
  for (const RunGroup& group : groups) {
    if (group.task != &task || group.sweep) continue;
    for (const RunResult* run : group.runs) {
      if (run->cell->content.fact("density").empty()) continue;
      out.runs.push_back(run);
      commits.push_back(run->cell->commit.hex());
    }
  }
  CommitSizer sizer(repository);
  if (!commits.empty()) out.compared = compare_revisions(repository, sizer, commits, progress);
  return out;
}

}  // namespace

std::optional<double> RunResult::number(const char* fact) const { return parse_number(cell->content.fact(fact)); }

std::optional<double> RunResult::gap() const {
  const auto train = cell->metric("train"), dev = cell->metric("dev");
  return train && dev ? std::optional(*train - *dev) : std::nullopt;
}

std::optional<double> test_score(const RunResult& run) { return run.cell->metric("test"); }
std::optional<double> dev_score(const RunResult& run) { return run.cell->metric("dev"); }

std::string RunGroup::label() const { return sweep ? method->name + " at " + density_name(density.value_or(0)) + " %" : method->name; }

std::optional<MeanStd> RunGroup::mean(std::optional<double> (*value)(const RunResult&)) const {
  std::vector<double> values;
  for (const RunResult* run : runs) {
    if (const auto number = value(*run)) values.push_back(*number);
  }
  return mean_std(values);
}

const RunGroup* Results::group(const std::string& task, const std::string& method) const {
  const auto at = std::find_if(groups.begin(), groups.end(), [&](const RunGroup& g) { return !g.sweep && g.task->name == task && g.method->name == method; });
  return at == groups.end() ? nullptr : &*at;
}

std::optional<PairedInterval> Results::compare(const RunGroup& a, const RunGroup& b) {
  std::vector<std::string> rows_a, rows_b;
  for (const RunResult* run : a.runs) {
    for (const RunResult* other : b.runs) {
      if (run->cell->seed != other->cell->seed) continue;
      rows_a.push_back(run->details.correct);
      rows_b.push_back(other->details.correct);
    }
  }
  return paired_interval(rows_a, rows_b);
}

Results::Results(const Repository& repository, const Study& s, const Cells& c, const Progress& progress) : study(s), cells(c) {
  CommitSizer sizer(repository);
  for (const Cell& cell : cells.all()) {
    if (cell.is_done() && !cell.candidate) runs.push_back({&cell, read_details(repository, cell), sizer.sizes(cell.commit, cell.content)});
  }
  for (const RunResult& run : runs) {
    auto at = std::find_if(groups.begin(), groups.end(), [&](const RunGroup& group) { return belongs(group, *run.cell); });
    if (at == groups.end()) at = groups.insert(groups.end(), {run.cell->task, run.cell->method, run.cell->density, run.cell->sweep, {}});
    at->runs.push_back(&run);
  }
  for (const RunGroup& one : groups) {
    const RunGroup* against = group(one.task->name, study.against);
    if (against == nullptr || against == &one) continue;
    if (const auto interval = compare(one, *against)) comparisons.push_back({&one, against, *interval});
  }
  for (const StudyTask& task : study.tasks) {
    TaskMasks found = masks_of(repository, task, groups, progress);
    if (!found.runs.empty()) masks.push_back(std::move(found));
  }
}

}  // namespace dstore::cli
