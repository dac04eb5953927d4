#include "dstore/error.h"
#include "repo/resolve_base.h"
#include "three_way_output.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  std::optional<MergeSettings> settings;
  ThreeWayOptions options = three_way_options(arguments, kRebaseWords, settings);
  const std::string text = arguments.get("task"), onto = arguments.get("newbase");
  options.message = arguments.get("message", "rebase " + text + " onto " + onto);
  if (options.message.empty()) throw Error(ErrorCode::invalid_argument, "say what this commit is: -m MSG");
  Repository repository = session.open();
  const Revision revision = resolve_revision(repository, text);
  const MergeSource task = find_merge_source(repository, text), new_base{resolve_base(repository, onto), onto};
  if (!arguments.has("name") && !revision.branch) throw Error(ErrorCode::invalid_argument, "\"" + printable(text) + "\" names no branch; give the result one: --name TASK");
  const RefName branch = arguments.has("name") ? RefName::parse(arguments.get("name")) : *revision.branch;
  const Committer committer = session.committer(arguments);
  const ThreeWayOutcome outcome = rebase(repository, task, new_base, branch, options, committer, session.progress("rebasing"));
  if (outcome.kind == ThreeWayOutcome::Kind::up_to_date && task.computed && !session.json) {
    session.say("\"" + printable(text) + "\" is a difference from these weights already; `dstore merge '" + printable(text) + "' --name " + branch.text() + "` commits it");
    return 0;
  }
  return print_three_way(session, outcome, kRebaseWords, branch.text(), onto, options.dry_run);
}

}  // namespace

Command rebase_command() {
  Command command{"rebase", "Work", "Take a task to another base: where the base did not change, the task's bits",
                  "dstore rebase sst2 base --dry-run\n  dstore rebase sst2 base --on-conflict add\n  dstore rebase 'base~1+0.7*sst2 - toxic' base --name calm",
                  {{"task", "A task, or what is computed"}, {"newbase", "The base that it is to be a difference from"}},
                  {{"--name", "TASK", "New branch for the result (default: the branch that TASK names moves on; what is computed names none)"},
                   {"-m,--message", "MSG", "What it is (default: what was done)"},
                   {"--author", "WHO", "Author (default: $DSTORE_AUTHOR, or user@host)"},
                   {"--no-sign", nullptr, "Make an unsigned commit"}},
                  run};
  for (const OptionSpec& option : three_way_option_specs(kRebaseWords)) command.options.push_back(option);
  return command;
}

}  // namespace dstore::cli
