#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_view.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/revision.h"
#include "report/report.h"
#include "stats_json.h"
#include "stats_text.h"
#include "trainer_process.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

std::string headline(const TaskStats& task) {
  const std::string ratio = ratio_text(task.sizes.checkpoint, task.sizes.stored());
  const std::string what = task.is_computed() ? ": computed, " : " (commit " + task.commit.id.short_hex() + "): " + method_text(task.commit.commit) + ", ";
  return printable(task.revision) + what +
         human_size(task.sizes.checkpoint) + " → " + human_size(task.sizes.stored()) + (ratio.empty() ? "" : ", " + ratio) + "\n";
}

std::string task_text(const TaskStats& task, const TaskChanges& changes, const Grouping& grouping) {
  const std::string ulps = ulp_text(changes.total);
  return headline(task) + change_text(changes) + "\n\n" + part_table(changes, grouping) + (ulps.empty() ? "" : "\n" + ulps);
}

/// --json: {tasks: [{revision, commit: as in `log --json`, and changes_json()}], pairs: pairs_json()}. Of a computed revision `commit` is null
/// and `expression` its pinned form.
void print_stats_json(const Session& session, const Repository& repository, CommitSizer& sizer, const ComparedTasks& compared,
                      const std::vector<std::string>& revisions) {
  const RefNames refs = view_refs(session, repository).names;
  ordered_json out{{"tasks", ordered_json::array()}};
  for (std::size_t i = 0; i < compared.tasks.size(); ++i) {
    const TaskStats& task = compared.tasks[i];
    ordered_json row{{"revision", task.revision}, {"commit", task.is_computed() ? ordered_json() : commit_json(refs, read_facts(repository, sizer, task.commit))}};
    if (task.is_computed()) row["expression"] = task.expression;
    row.update(changes_json(compared.comparison.tasks[i]));
    out["tasks"].push_back(std::move(row));
  }
  out["pairs"] = pairs_json(revisions, compared.comparison.pairs);
  print_pretty(out);
}

/// Said before the work, not after it.
void require_folder_of(const Session& session, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const auto info = session.fs().stat(folder, true);
  if (!info || info->type != FileInfo::Type::directory) {
    throw Error(ErrorCode::not_found, printable(path) + ": there is no folder " + printable(folder) + " to write it to");
  }
  if (const auto there = session.fs().stat(path, true); there && there->type == FileInfo::Type::directory) {
    throw Error(ErrorCode::conflict, printable(path) + " is a folder; name a file in it");
  }
}

/// `dstore stats fisher|gram REV|FOLDER --data FILE -o FILE`, which dstore-train makes.
int run_statistics(const Arguments& arguments, Session& session, const std::string& kind, const std::string& model) {
  for (const char* needed : {"data", "output"}) {
    if (!arguments.has(needed)) throw Error(ErrorCode::invalid_argument, "dstore stats " + kind + " needs --" + needed + " FILE");
  }
  std::vector<std::string> words{kind, model};
  for (const char* option : {"data", "output", "examples", "max-length", "text-column", "pair-column", "label-column", "threads"}) {
    if (arguments.has(option)) words.insert(words.end(), {"--" + std::string(option), arguments.get(option)});
  }
  if (model.find('/') == std::string::npos && model != "." && model != "..") {
    const Repository repository = session.open();
    const Commit commit = repository.read_commit(resolve_commit(repository, model));
    words.insert(words.end(), {"--weights", read_checkpoint(repository, commit).weights.hex()});
  }
  return run_trainer(session, trainer_words(session, "statistics", words));
}

int run(const Arguments& arguments, Session& session) {
  if (const auto words = arguments.all("rev"); arguments.has("data") || arguments.has("output")) {
    if (words.size() == 2 && (words[0] == "fisher" || words[0] == "gram")) return run_statistics(arguments, session, words[0], words[1]);
    throw Error(ErrorCode::invalid_argument, "--data and --output are for statistics: dstore stats fisher|gram REV --data FILE -o FILE");
  }
  const Grouping& grouping = find_grouping(arguments.get("by", "layer"));
  if (arguments.has("html")) require_folder_of(session, session.path(arguments.get("html")));
  Repository repository = session.open();
  CommitSizer sizer(repository);
  const std::vector<std::string> revisions = arguments.all("rev");
  std::vector<std::unique_ptr<CheckpointFolder>> bases;
  for (const std::string& revision : revisions) {
    bases.push_back(base_from(arguments, session, repository, commit_on_base(resolve_revision(repository, revision))));
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
          "dstore stats sst2 --by role\n  dstore stats sst2 mnli qnli --html report.html\n  dstore stats fisher sst2 --data dev.tsv -o sst2.fisher.safetensors",
          {{"rev", "Tasks, or what is computed from them: 'base+0.5*a - b', 'merge(ties: a, b)'", PositionalSpec::some}},
          {{"--by", "layer|role|tensor", "What a row is (default layer)"},
           {"--html", "FILE", "Write a page with maps, matrices and charts instead; it needs no network"},
           {"--base-from", "FOLDER", "Read the base that is not in the store from this folder"},
           {"--data", "FILE", "`stats fisher REV` or `stats gram REV`: statistics for merges, on these texts"},
           {"-o,--output", "FILE", "The safetensors file that these are written to"},
           {"--examples", "N", "Only the first so many texts"},
           {"--max-length", "N", "Tokens a text is cut to (default 128)"},
           {"--text-column", "NAME", "As of `dstore eval`; so are the next two"},
           {"--pair-column", "NAME", "Column with the second text of a pair"},
           {"--label-column", "NAME", "Column with the label"},
           {"--threads", "N", "Threads for these (default: all processors)"}},
          run};
}

}  // namespace dstore::cli
