#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_view.h"
#include "number_text.h"
#include "output.h"
#include "repo/revision.h"
#include "task_stats.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

std::vector<std::string> role_row(const std::string& name, const RoleStats& stats) {
  const DifferenceStats& d = stats.difference;
  const bool shared = d.units > 0;
  return {name,
          grouped(stats.modified) + "/" + grouped(stats.tensors),
          grouped(d.units + stats.new_elements),
          shared ? grouped(d.changed) : "new",
          shared ? share_text(d.density()) : "",
          d.changed > 0 ? number_text(d.l2()) : "",
          d.changed > 0 ? number_text(d.max_abs) : "",
          human_size(stats.bytes)};
}

std::string role_table(const TaskStats& task) {
  Table table({"part", ">tensors", ">weights", ">changed", ">density", ">L2", ">max |d|", ">stored"});
  for (const auto& [role, stats] : task.roles) table.add(role_row(role.text(), stats));
  table.add(role_row("all", task.total));
  return table.text();
}

std::string headline(const TaskStats& task) {
  const std::string ratio = ratio_text(task.sizes.checkpoint, task.sizes.stored());
  return printable(task.revision) + " (commit " + task.commit.id.short_hex() + "): " + method_text(task.commit.commit) + ", " +
         human_size(task.sizes.checkpoint) + " → " + human_size(task.sizes.stored()) + (ratio.empty() ? "" : ", " + ratio) + "\n";
}

std::string comparison_table(const std::vector<TaskStats>& tasks) {
  const bool narrow = is_narrow(terminal_width());
  Table table({"task", "method", "metric", ">changed", ">density", ">max |d|", ">stored", ">full", ">ratio"});
  for (const TaskStats& task : tasks) {
    const std::string ratio = ratio_text(task.sizes.checkpoint, task.sizes.stored());
    table.add({printable(task.revision), method_text(task.commit.commit), metric_text(task.commit.commit, narrow),
               grouped(task.total.difference.changed), density_text(task.total.difference.density(), narrow), number_text(task.total.difference.max_abs),
               human_size(task.sizes.stored()), human_size(task.sizes.checkpoint), ratio.substr(0, ratio.find(' '))});
  }
  return table.text();
}

std::string overlap_table(const std::vector<TaskStats>& tasks, const std::vector<Overlap>& overlaps) {
  if (overlaps.empty()) return "";
  Table table({"weights that both change", "", ">shared", ">either", ">Jaccard"});
  for (const Overlap& overlap : overlaps) {
    table.add({printable(tasks[overlap.a].revision), printable(tasks[overlap.b].revision), grouped(overlap.shared), grouped(overlap.either),
               number_text(overlap.jaccard())});
  }
  return "\n" + table.text();
}

ordered_json role_json(const std::string& name, const RoleStats& stats) {
  const DifferenceStats& d = stats.difference;
  return {{"part", name}, {"tensors", stats.tensors}, {"modified", stats.modified}, {"elements", d.units}, {"new_elements", stats.new_elements},
          {"changed", d.changed}, {"density", d.density()}, {"l1", d.l1}, {"l2", d.l2()}, {"max_abs", d.max_abs}, {"stored_bytes", stats.bytes}};
}

/// --json: {tasks: [{revision, commit: as in `log --json`, parts: [{part, tensors, modified, elements, new_elements, changed,
/// density, l1, l2, max_abs, stored_bytes}], all: the same for the whole}], overlaps: [{a, b, shared, either, jaccard}]}.
void print_stats_json(const Session& session, const Repository& repository, CommitSizer& sizer, const std::vector<TaskStats>& tasks, const std::vector<Overlap>& overlaps) {
  const RefNames refs = view_refs(session, repository).names;
  ordered_json out{{"tasks", ordered_json::array()}, {"overlaps", ordered_json::array()}};
  for (const TaskStats& task : tasks) {
    ordered_json row;
    row["revision"] = task.revision;
    row["commit"] = commit_json(refs, read_facts(repository, sizer, task.commit));
    row["parts"] = ordered_json::array();
    for (const auto& [role, stats] : task.roles) row["parts"].push_back(role_json(role.text(), stats));
    row["all"] = role_json("all", task.total);
    out["tasks"].push_back(std::move(row));
  }
  for (const Overlap& overlap : overlaps) {
    out["overlaps"].push_back({{"a", tasks[overlap.a].revision}, {"b", tasks[overlap.b].revision}, {"shared", overlap.shared},
                               {"either", overlap.either}, {"jaccard", overlap.jaccard()}});
  }
  print_pretty(out);
}

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  CommitSizer sizer(repository);
  std::vector<TaskStats> tasks;
  std::vector<std::unique_ptr<CheckpointFolder>> bases;
  for (const std::string& revision : arguments.all("rev")) {
    bases.push_back(base_from(arguments, session, repository, resolve_commit(repository, revision)));
    const Progress progress = session.progress("comparing " + printable(revision));
    tasks.push_back(task_stats(repository, sizer, revision, progress));
  }
  const std::vector<Overlap> overlaps = support_overlaps(repository, tasks);
  if (session.json) {
    print_stats_json(session, repository, sizer, tasks, overlaps);
    return 0;
  }
  std::string text = tasks.size() == 1 ? headline(tasks.front()) + role_table(tasks.front()) : comparison_table(tasks) + overlap_table(tasks, overlaps);
  text.pop_back();
  session.say(text);
  return 0;
}

}  // namespace

Command stats_command() {
  return {"stats", "Look", "What a task changes, part by part; for several tasks how they compare and overlap",
          "dstore stats sst2 mnli",
          {{"rev", "Task revisions", PositionalSpec::some}},
          {{"--base-from", "FOLDER", "Read the base that is not in the store from this folder"}}, run};
}

}  // namespace dstore::cli
