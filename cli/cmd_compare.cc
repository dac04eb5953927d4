#include <algorithm>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_view.h"
#include "metric_rows.h"
#include "number_text.h"
#include "output.h"
#include "repo/revision.h"
#include "stats_json.h"
#include "stats_text.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

/// One revision of the comparison. Bases have sizes and metrics only.
struct Side {
  std::string revision;
  CommitFacts facts;
  std::optional<std::size_t> task;  ///< index into the compared tasks
};

struct Comparison {
  std::vector<Side> sides;
  ComparedTasks compared;
  std::vector<MetricRow> metrics;

  const TaskStats* task(const Side& side) const { return side.task ? &compared.tasks[*side.task] : nullptr; }
  const TaskChanges* changes(const Side& side) const { return side.task ? &compared.comparison.tasks[*side.task] : nullptr; }
  std::vector<std::string> task_names() const {
    std::vector<std::string> names;
    for (const TaskStats& task : compared.tasks) names.push_back(task.revision);
    return names;
  }
};

/// A fact that every task has: a row of the table.
struct Fact {
  const char* name;
  std::string (*text)(const CommitFacts&, const TaskChanges*);
};

std::string of_task(const TaskChanges* changes, std::string (*text)(const TaskChanges&)) { return changes == nullptr ? "" : text(*changes); }

/// "206x"; empty where it is not smaller.
std::string ratio(const CommitSizes& sizes) {
  const std::string text = ratio_text(sizes.checkpoint, sizes.stored());
  return text.substr(0, text.find(' '));
}

constexpr Fact kFacts[] = {
    {"method", [](const CommitFacts& f, const TaskChanges*) { return method_text(f.commit); }},
    {"full copy", [](const CommitFacts& f, const TaskChanges*) { return human_size(f.sizes.checkpoint); }},
    {"stored", [](const CommitFacts& f, const TaskChanges*) { return human_size(f.sizes.stored()); }},
    {"smaller", [](const CommitFacts& f, const TaskChanges*) { return ratio(f.sizes); }},
    {"tensors changed", [](const CommitFacts&, const TaskChanges* c) { return of_task(c, [](const TaskChanges& t) { return grouped(whole_task(t).modified); }); }},
    {"weights changed", [](const CommitFacts&, const TaskChanges* c) { return of_task(c, [](const TaskChanges& t) { return grouped(t.total.changed); }); }},
    {"density", [](const CommitFacts&, const TaskChanges* c) { return of_task(c, [](const TaskChanges& t) { return share_text(t.total.density()); }); }},
    {"weights new", [](const CommitFacts&, const TaskChanges* c) { return of_task(c, [](const TaskChanges& t) { return grouped(whole_task(t).new_units); }); }},
    {"L2 of the change", [](const CommitFacts&, const TaskChanges* c) { return of_task(c, [](const TaskChanges& t) { return number_text(t.total.l2()); }); }},
    {"largest change", [](const CommitFacts&, const TaskChanges* c) { return of_task(c, [](const TaskChanges& t) { return number_text(t.total.max_abs); }); }},
};

/// Rows of cells: a name, then one for each side.
std::vector<std::vector<std::string>> rows_of(const Comparison& comparison) {
  std::vector<std::vector<std::string>> rows;
  for (const Fact& fact : kFacts) {
    std::vector<std::string> row{fact.name};
    for (const Side& side : comparison.sides) row.push_back(fact.text(side.facts, comparison.changes(side)));
    rows.push_back(std::move(row));
  }
  for (const MetricRow& metric : comparison.metrics) {
    std::vector<std::string> row{printable(metric_label(comparison.metrics, metric))};
    for (std::size_t i = 0; i < metric.values.size(); ++i) {
      row.push_back(metric.values[i] ? (metric.is_best(i) ? "* " : "") + printable(metric.values[i]->text) : "");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

bool has_best(const std::vector<MetricRow>& metrics) {
  return std::any_of(metrics.begin(), metrics.end(), [](const MetricRow& metric) {
    for (std::size_t i = 0; i < metric.values.size(); ++i) {
      if (metric.is_best(i)) return true;
    }
    return false;
  });
}

/// Of training, and of evaluations: the newest on the same data stands for all.
std::vector<MetricRow> metrics_of(const std::vector<Side>& sides) {
  std::vector<const CommitFacts*> commits;
  for (const Side& side : sides) commits.push_back(&side.facts);
  return metric_rows(commits);
}

/// As many sides beside each other as the terminal has room for, then the next ones below.
std::string side_tables(const Comparison& comparison) {
  const auto rows = rows_of(comparison);
  std::vector<std::size_t> widths{0};
  for (const Side& side : comparison.sides) widths.push_back(display_width(printable(side.revision)));
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], display_width(row[c]));
  }
  std::string out;
  for (std::size_t begin = 1, end = 1; begin < widths.size(); begin = end) {
    std::size_t used = widths[0];
    for (end = begin; end < widths.size() && (end == begin || used + 2 + widths[end] <= terminal_width()); ++end) used += 2 + widths[end];
    std::vector<std::string> headings{""};
    for (std::size_t c = begin; c < end; ++c) headings.push_back(">" + printable(comparison.sides[c - 1].revision));
    Table table(headings);
    for (const auto& row : rows) {
      std::vector<std::string> cells{row[0]};
      cells.insert(cells.end(), row.begin() + static_cast<std::ptrdiff_t>(begin), row.begin() + static_cast<std::ptrdiff_t>(end));
      table.add(std::move(cells));
    }
    out += (out.empty() ? "" : "\n") + table.text();
  }
  return out;
}

/// --json: {revisions: [{revision, commit: as in `log --json`, or null where it is computed, all: the numbers of a task as in `stats --json`, or null}],
/// metrics: [{split, name, data_sha256, better: "higher"|"lower"|null, values: [{value, n}|null], best: [index]}], pairs}.
void print_compare_json(const Session& session, const Repository& repository, const Comparison& comparison) {
  const RefNames refs = view_refs(session, repository).names;
  ordered_json out{{"revisions", ordered_json::array()}, {"metrics", ordered_json::array()}};
  for (const Side& side : comparison.sides) {
    const TaskChanges* changes = comparison.changes(side);
    ordered_json all = changes == nullptr ? ordered_json() : changes_json(*changes)["all"];
    const TaskStats* task = comparison.task(side);
    ordered_json commit = task != nullptr && task->is_computed() ? ordered_json() : commit_json(refs, side.facts);
    out["revisions"].push_back({{"revision", side.revision}, {"commit", std::move(commit)}, {"all", std::move(all)}});
  }
  for (const MetricRow& metric : comparison.metrics) {
    const std::string better = better_name(metric.better);
    ordered_json row{{"split", metric.split}, {"name", metric.name}, {"data_sha256", metric.data_sha256}};
    row["better"] = better.empty() ? ordered_json() : ordered_json(better);
    row["values"] = row["best"] = ordered_json::array();
    for (std::size_t i = 0; i < metric.values.size(); ++i) {
      row["values"].push_back(metric.values[i] ? ordered_json{{"value", metric.values[i]->text}, {"n", metric.values[i]->n}} : ordered_json());
      if (metric.is_best(i)) row["best"].push_back(i);
    }
    out["metrics"].push_back(std::move(row));
  }
  out["pairs"] = pairs_json(comparison.task_names(), comparison.compared.comparison.pairs);
  print_pretty(out);
}

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  CommitSizer sizer(repository);
  Comparison comparison;
  std::vector<std::string> tasks;
  std::vector<std::unique_ptr<CheckpointFolder>> bases;
  for (const std::string& text : arguments.all("rev")) {
    const Revision revision = resolve_revision(repository, text);
    Side side{text, {}, std::nullopt};
    if (!revision.computed) {
      side.facts = read_facts(repository, sizer, revision.commit);
      read_evaluations(repository, side.facts);
    }
    if (revision.computed || side.facts.is_task()) {
      side.task = tasks.size();
      tasks.push_back(text);
      bases.push_back(base_from(arguments, session, repository, commit_on_base(revision)));
    }
    comparison.sides.push_back(std::move(side));
  }
  {
    const Progress progress = session.progress("comparing");
    comparison.compared = compare_revisions(repository, sizer, tasks, progress);
  }
  for (Side& side : comparison.sides) {
    const TaskStats* task = comparison.task(side);
    if (task == nullptr || !task->is_computed()) continue;
    side.facts.commit = task->commit.commit;
    side.facts.sizes = task->sizes;
  }
  comparison.metrics = metrics_of(comparison.sides);
  if (session.json) {
    print_compare_json(session, repository, comparison);
    return 0;
  }
  std::string text = side_tables(comparison);
  if (has_best(comparison.metrics)) text += "* the best\n";
  if (const std::string pairs = pair_table(comparison.task_names(), comparison.compared.comparison.pairs); !pairs.empty()) text += "\n" + pairs;
  text.pop_back();
  session.say(text);
  return 0;
}

}  // namespace

Command compare_command() {
  return {"compare", "Look", "Sizes, changes and recorded metrics of several revisions side by side, and how their changes overlap",
          "dstore compare sst2 sst2~1 mnli\n  dstore compare sst2 mnli 'base+0.5*sst2+0.5*mnli'",
          {{"rev", "Revisions: tasks, bases, or what is computed from them", PositionalSpec::some}},
          {{"--base-from", "FOLDER", "Read the base that is not in the store from this folder"}},
          run};
}

}  // namespace dstore::cli
