#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_view.h"
#include "output.h"
#include "repo/revision.h"
#include "report/report.h"
#include "stats_json.h"
#include "stats_text.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

std::string headline(const TaskStats& task) {
  const std::string ratio = ratio_text(task.sizes.checkpoint, task.sizes.stored());
  return printable(task.revision) + " (commit " + task.commit.id.short_hex() + "): " + method_text(task.commit.commit) + ", " +
         human_size(task.sizes.checkpoint) + " → " + human_size(task.sizes.stored()) + (ratio.empty() ? "" : ", " + ratio) + "\n";
}

std::string task_text(const TaskStats& task, const TaskChanges& changes, const Grouping& grouping) {
  const std::string ulps = ulp_text(changes.total);
  return headline(task) + change_text(changes) + "\n\n" + part_table(changes, grouping) + (ulps.empty() ? "" : "\n" + ulps);
}

/// --json: {tasks: [{revision, commit: as in `log --json`, and changes_json()}], pairs: pairs_json()}.
void print_stats_json(const Session& session, const Repository& repository, CommitSizer& sizer, const ComparedTasks& compared,
                      const std::vector<std::string>& revisions) {
  const RefNames refs = view_refs(session, repository).names;
  ordered_json out{{"tasks", ordered_json::array()}};
  for (std::size_t i = 0; i < compared.tasks.size(); ++i) {
    const TaskStats& task = compared.tasks[i];
    ordered_json row{{"revision", task.revision}, {"commit", commit_json(refs, read_facts(repository, sizer, task.commit))}};
    row.update(changes_json(compared.comparison.tasks[i]));
    out["tasks"].push_back(std::move(row));
  }
  out["pairs"] = pairs_json(revisions, compared.comparison.pairs);
  print_pretty(out);
}

int run(const Arguments& arguments, Session& session) {
  const Grouping& grouping = find_grouping(arguments.get("by", "layer"));
  Repository repository = session.open();
  CommitSizer sizer(repository);
  const std::vector<std::string> revisions = arguments.all("rev");
  std::vector<std::unique_ptr<CheckpointFolder>> bases;
  for (const std::string& revision : revisions) {
    bases.push_back(base_from(arguments, session, repository, resolve_revision(repository, revision).commit));
  }
  ComparedTasks compared;
  {
    const Progress progress = session.progress("comparing");
    compared = compare_revisions(repository, sizer, revisions, progress);
  }
  if (arguments.has("html")) {
    const std::string path = session.path(arguments.get("html"));
    write_report(repository, compared, path);
    session.say("wrote " + printable(path));
    if (!session.json) return 0;
  }
  if (session.json) {
    print_stats_json(session, repository, sizer, compared, revisions);
    return 0;
  }
  std::string text;
  for (std::size_t i = 0; i < compared.tasks.size(); ++i) {
    text += (i > 0 ? "\n" : "") + task_text(compared.tasks[i], compared.comparison.tasks[i], grouping);
  }
  if (const std::string pairs = pair_table(revisions, compared.comparison.pairs); !pairs.empty()) text += "\n" + pairs;
  text.pop_back();
  session.say(text);
  return 0;
}

}  // namespace

Command stats_command() {
  return {"stats", "Look", "What a task changes, part by part, and how far; how the changes of several tasks overlap",
          "dstore stats sst2 --by role\n  dstore stats sst2 mnli qnli --html report.html",
          {{"rev", "Task revisions", PositionalSpec::some}},
          {{"--by", "layer|role|tensor", "What a row is (default layer)"},
           {"--html", "FILE", "Write a page with maps, matrices and charts instead; it needs no network"},
           {"--base-from", "FOLDER", "Read the base that is not in the store from this folder"}},
          run};
}

}  // namespace dstore::cli
