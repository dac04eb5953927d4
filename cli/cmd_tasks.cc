#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_view.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/catalog.h"
#include "repo/model_files.h"
#include "repo/resolve_base.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

constexpr std::size_t kNarrowMessage = 12;

struct Task {
  std::string branch;
  const CommitFacts* facts;
};

/// Task branches by the weights that they hang on.
using TasksByBase = std::map<ObjectId, std::vector<Task>>;

ObjectId weights_of_base(const Repository& repository, const RefNames& names, const std::string& revision) {
  const ObjectId id = resolve_base(repository, revision);
  const Commit commit = repository.read_commit(id);
  if (commit.is_task()) {
    std::string base = commit.base ? commit.base->short_hex() : "unknown";
    const auto named = commit.base ? names.find(*commit.base) : names.end();
    if (named != names.end() && !named->second.front().starts_with("tag: ")) base = named->second.front();
    throw Error(ErrorCode::invalid_argument, printable(revision) + " is a task itself; for what else hangs on its base: dstore tasks " + printable(base));
  }
  return read_checkpoint(repository, commit).weights;
}

/// Branches whose head is a base with these weights: "base", "base, copy"; empty if there are none.
std::map<ObjectId, std::string> base_names(const Repository& repository, Catalog& catalog, const RefView& refs) {
  std::map<ObjectId, std::string> names;
  const std::set<ObjectId> forgotten = forgotten_commits(repository);
  for (const RefEntry& head : refs.local) {
    if (forgotten.contains(head.new_commit)) continue;
    const CommitFacts& facts = catalog.commit(head.new_commit);
    if (facts.is_task() || head.kind != RefKind::branch) continue;
    std::string& list = names[facts.weights];
    list += (list.empty() ? "" : ", ") + head.ref.text();
  }
  return names;
}

TasksByBase find_tasks(const Repository& repository, Catalog& catalog, const RefView& refs) {
  TasksByBase out;
  const std::set<ObjectId> forgotten = forgotten_commits(repository);
  for (const RefEntry& head : refs.local) {
    if (head.kind != RefKind::branch || forgotten.contains(head.new_commit)) continue;
    const CommitFacts& facts = catalog.commit(head.new_commit);
    if (facts.is_task()) out[facts.base_weights].push_back({head.ref.text(), &facts});
  }
  return out;
}

std::string table_text(const std::vector<Task>& tasks) {
  Table table({"task", "commit", "method", ">density", ">stored", "metric", "signer", ">age", "message"});
  const bool narrow = is_narrow(terminal_width());
  const std::size_t message_width = narrow ? kNarrowMessage : terminal_width() / 4;
  for (const Task& task : tasks) {
    const CommitFacts& facts = *task.facts;
    const Commit& commit = facts.commit;
    table.add({task.branch, facts.id.short_hex().substr(0, 7), method_text(commit), density_text(facts.density.value_or(0), narrow),
               human_size(facts.sizes.stored()), metric_text(facts, narrow), signer_text(facts.signature, narrow), age_text(commit, narrow),
               shorten(printable(commit.subject()), message_width)});
  }
  return table.text("  ");
}

/// --json: an array of {name, base_weights, base_branches} with everything of `log --json` beside them.
void print_tasks_json(const RefNames& refs, const TasksByBase& groups, const std::map<ObjectId, std::string>& names) {
  using nlohmann::ordered_json;
  ordered_json out = ordered_json::array();
  for (const auto& [weights, tasks] : groups) {
    const auto name = names.find(weights);
    for (const Task& task : tasks) {
      ordered_json row{{"name", task.branch}, {"base_weights", weights.hex()}, {"base_branches", name == names.end() ? "" : name->second}};
      row.update(commit_json(refs, *task.facts));
      out.push_back(std::move(row));
    }
  }
  print_pretty(out);
}

int run(const Arguments& arguments, Session& session) {
  const Repository repository = session.open();
  Catalog catalog(repository, session.progress("cataloguing"));
  const RefView refs = view_refs(session, repository);
  TasksByBase groups = find_tasks(repository, catalog, refs);
  if (arguments.has("base")) {
    const ObjectId wanted = weights_of_base(repository, refs.names, arguments.get("base"));
    std::vector<Task> tasks = std::move(groups[wanted]);
    groups.clear();
    if (!tasks.empty()) groups.emplace(wanted, std::move(tasks));
  }
  const auto names = base_names(repository, catalog, refs);
  if (session.json) {
    print_tasks_json(refs.names, groups, names);
    return 0;
  }
  if (groups.empty()) {
    const std::string none = arguments.has("base") ? "no task hangs on " + printable(arguments.get("base")) : "no tasks yet";
    session.note(none + "; `dstore train` or `dstore commit FOLDER --base REV` makes one");
  }
  for (const auto& [weights, tasks] : groups) {
    const auto name = names.find(weights);
    session.say((name == names.end() ? "base without a branch" : session.paint("1", printable(name->second))) + " (weights " + weights.short_hex() + ")");
    std::string text = table_text(tasks);
    text.pop_back();
    session.say(text);
  }
  return 0;
}

}  // namespace

Command tasks_command() {
  return {"tasks", "Look", "Task branches and the bases that they hang on", "dstore tasks base",
          {{"base", "Only tasks on this base's weights", PositionalSpec::optional}}, {}, run};
}

}  // namespace dstore::cli
