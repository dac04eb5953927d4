#include <algorithm>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_view.h"
#include "dstore/error.h"
#include "merge_arguments.h"
#include "output.h"
#include "repo/merge.h"
#include "repo/revision.h"
#include "three_way_output.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

MergeHeads choose_heads(const Arguments& arguments, const Repository& repository, const std::vector<MergeSource>& sources, std::size_t& of) {
  if (!arguments.has("heads")) return MergeHeads::single;
  const std::string text = arguments.get("heads");
  if (text == "none") return MergeHeads::none;
  const ObjectId commit = resolve_commit(repository, text);
  const auto place = std::find_if(sources.begin(), sources.end(), [&](const MergeSource& source) { return source.commit == commit; });
  if (place == sources.end()) throw Error(ErrorCode::invalid_argument, "--heads " + printable(text) + " is none of the models that are merged");
  of = static_cast<std::size_t>(place - sources.begin());
  return MergeHeads::of_model;
}

/// --list-methods: with --json an array of {method, summary, parameters: {name: default}}.
int list_methods(const Session& session) {
  ordered_json out = ordered_json::array();
  Table table({"method", "parameters and defaults"});
  for (const MergeMethod* method : merge_methods()) {
    ordered_json parameters = ordered_json::object();
    std::string text;
    for (const auto& [name, value] : method->parameters) {
      parameters[std::string(name)] = std::string(value);
      text += (text.empty() ? "" : " ") + std::string(name) + "=" + std::string(value);
    }
    out.push_back({{"method", std::string(method->name)}, {"summary", std::string(method->summary)}, {"parameters", std::move(parameters)}});
    table.add({std::string(method->name), std::string(method->summary)});
    if (!text.empty()) table.add({"", text});
  }
  if (session.json) {
    print_pretty(out);
    return 0;
  }
  std::string text = table.text();
  text.pop_back();
  session.say(text);
  return 0;
}

/// With --json {commit, branch, base, method, files_of, merged, unchanged, own, changed, elements, full_bytes, stored_bytes}.
void print_merge(const Session& session, const MergeReport& report, const MergeOptions& options, const std::string& branch, std::size_t models) {
  if (session.json) {
    print_pretty(ordered_json{{"commit", report.commit.hex()}, {"branch", branch}, {"base", report.base.hex()}, {"method", std::string(options.method->name)},
                              {"files_of", report.files_of}, {"merged", report.counts.merged}, {"unchanged", report.counts.unchanged}, {"own", report.counts.own},
                              {"changed", report.delta.changed}, {"elements", report.delta.base_elements}, {"full_bytes", report.full_bytes},
                              {"stored_bytes", report.stored_bytes}});
    return;
  }
  session.say("[" + branch + " " + report.commit.short_hex() + "] " + std::to_string(models) + " models by " + std::string(options.method->name) + ": " +
              changed_text(report.delta, report.full_bytes, report.stored_bytes));
  std::string line = grouped(report.counts.merged) + " tensors merged, " + grouped(report.counts.unchanged) + " as in the base";
  if (report.counts.own > 0) line += ", " + grouped(report.counts.own) + " of " + printable(report.files_of) + " alone";
  session.say(line + "; files of " + (report.files_of.empty() ? "the base" : printable(report.files_of)));
}

/// dstore merge THEIRS --into BRANCH
int run_into(const Arguments& arguments, Session& session) {
  const std::vector<std::string> revisions = arguments.all("rev");
  if (revisions.size() != 1) throw Error(ErrorCode::invalid_argument, "--into BRANCH takes one revision to merge into it, not " + std::to_string(revisions.size()));
  for (const char* option : {"name", "method", "heads"}) {
    if (arguments.has(option)) throw Error(ErrorCode::invalid_argument, "--into and --" + std::string(option) + " exclude each other" + (option == std::string("method") ? "; --on-conflict METHOD decides what is in conflict" : ""));
  }
  std::optional<MergeSettings> settings;
  ThreeWayOptions options = three_way_options(arguments, kMergeWords, settings);
  const RefName branch = RefName::parse(arguments.get("into"));
  options.message = arguments.get("message", "merge " + revisions.front() + " into " + branch.text());
  if (options.message.empty()) throw Error(ErrorCode::invalid_argument, "say what this commit is: -m MSG");
  Repository repository = session.open();
  const MergeSource theirs{resolve_commit(repository, revisions.front()), revisions.front()};
  const Committer committer = session.committer(arguments);
  const ThreeWayOutcome outcome = merge_into(repository, theirs, branch, options, committer, session.progress("merging"));
  return print_three_way(session, outcome, kMergeWords, branch.text(), theirs.text, options.dry_run);
}

/// dstore merge EXPRESSION --name TASK: what a revision computes, as a commit. With --json {commit, branch, base, expression, changed, elements, shared,
/// full_bytes, stored_bytes}; `shared` is null where it is no sum.
int run_computed(const Arguments& arguments, Session& session, Repository& repository, const Revision& revision) {
  for (const char* option : {"method", "weights", "density", "set", "heads", "seed"}) {
    if (arguments.has(option)) throw Error(ErrorCode::invalid_argument, "--" + std::string(option) + " goes with tasks; \"" + printable(revision.text) + "\" says itself how it is computed");
  }
  const std::string message = arguments.get("message", revision.text);
  if (message.empty()) throw Error(ErrorCode::invalid_argument, "say what this commit is: -m MSG");
  const RefName branch = RefName::parse(arguments.get("name"));
  const Committer committer = session.committer(arguments);
  const ComputedReport report = commit_computed(repository, revision, message, branch, committer, session.progress("merging"));
  if (session.json) {
    print_pretty(ordered_json{{"commit", report.commit.hex()}, {"branch", branch.text()}, {"base", report.base.hex()}, {"expression", revision.computed->pinned()},
                              {"changed", report.delta.changed}, {"elements", report.delta.base_elements},
                              {"shared", report.overlap ? ordered_json(report.overlap->shared) : ordered_json()}, {"full_bytes", report.full_bytes}, {"stored_bytes", report.stored_bytes}});
    return 0;
  }
  session.say("[" + branch.text() + " " + report.commit.short_hex() + "] " + printable(revision.text) + ": " + changed_text(report.delta, report.full_bytes, report.stored_bytes));
  if (report.overlap) session.say(overlap_text(*report.overlap));
  return 0;
}

int run(const Arguments& arguments, Session& session) {
  if (arguments.has("list-methods")) return list_methods(session);
  if (arguments.all("rev").empty()) throw Error(ErrorCode::invalid_argument, "say what to merge: dstore merge A B --name NAME");
  if (arguments.has("into")) return run_into(arguments, session);
  for (const char* option : {"on-conflict", "files", "vocab", "dry-run"}) {
    if (arguments.has(option)) throw Error(ErrorCode::invalid_argument, "--" + std::string(option) + " goes with --into BRANCH");
  }
  if (!arguments.has("name")) throw Error(ErrorCode::invalid_argument, "say what the result is called: --name NAME, or what to merge into: --into BRANCH");
  if (arguments.all("rev").size() == 1) {
    Repository repository = session.open();
    const Revision revision = resolve_revision(repository, arguments.get("rev"));
    if (revision.computed) return run_computed(arguments, session, repository, revision);
  }
  const MergeMethod& method = find_merge_method(arguments.get("method", "linear"));
  Repository repository = session.open();
  std::vector<MergeSource> sources;
  std::string names;
  for (const std::string& text : arguments.all("rev")) {
    sources.push_back({resolve_commit(repository, text), text});
    names += (names.empty() ? "" : ", ") + text;
  }
  const MergeSettings settings(method.name, method.parameters, given_merge_parameters(arguments), sources.size(), arguments.number("seed").value_or(0));
  check_merge(method, settings);
  MergeOptions options;
  options.method = &method;
  options.settings = &settings;
  options.heads = choose_heads(arguments, repository, sources, options.heads_of);
  options.message = arguments.get("message", "merge " + names + " by " + std::string(method.name));
  if (options.message.empty()) throw Error(ErrorCode::invalid_argument, "say what this commit is: -m MSG");
  const RefName branch = RefName::parse(arguments.get("name"));
  const Committer committer = session.committer(arguments);
  const MergeReport report = merge(repository, sources, options, branch, committer, session.progress("merging"));
  print_merge(session, report, options, branch.text(), sources.size());
  return 0;
}

}  // namespace

Command merge_command() {
  Command command{"merge", "Work", "Merge tasks of one base into a new task, or one task into another's branch",
          "dstore merge sst2 mnli --weights 0.6,0.4 --name both\n  dstore merge a b c --method ties --density 20% --set lambda=0.8 --name abc\n"
          "  dstore merge origin/sst2 --into sst2 --on-conflict add\n  dstore merge 'base+0.7*sst2 - toxic' --name calm",
          {{"rev", "Tasks, or their base; with --into one; or a computed revision, to commit it as it is", PositionalSpec::any}},
          {{"--method", "M", "How (default: linear); --list-methods lists them"},
           {"--weights", "W,W,…", "Of each model, or one for all (default: 1)"},
           {"--density", "D,D,…", "Share of each model's difference that is kept: 20% or 0.2"},
           {"--set", "KEY=VALUE", "A parameter of the method; KEY=V1,V2,… for each model", true},
           {"--seed", "N", "For methods that drop at random (default: 0)"},
           {"--heads", "REV|none", "Whose tensors that the base lacks are taken, with that model's files"},
           {"--name", "TASK", "New branch for the result"},
           {"--into", "BRANCH", "Three-way: merge the changes since the common ancestor into this branch, as a commit with two parents"},
           {"-m,--message", "MSG", "What it is (default: what was done)"},
           {"--author", "WHO", "Author (default: $DSTORE_AUTHOR, or user@host)"},
           {"--no-sign", nullptr, "Make an unsigned commit"},
           {"--list-methods", nullptr, "List the methods with their parameters"}},
          run};
  for (const OptionSpec& option : three_way_option_specs(kMergeWords)) command.options.push_back(option);
  return command;
}

}  // namespace dstore::cli
