#include <algorithm>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_view.h"
#include "dstore/error.h"
#include "merge_arguments.h"
#include "merge_forms.h"
#include "merge_list.h"
#include "merge_plan.h"
#include "output.h"
#include "repo/base_folder.h"
#include "repo/merge.h"
#include "repo/resolve_base.h"
#include "three_way_output.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

/// --statistics FILE,FILE,…: one for each model.
void add_statistics(const Arguments& arguments, const Session& session, std::vector<MergeSource>& sources) {
  if (!arguments.has("statistics")) return;
  const std::vector<std::string> files = split_list(arguments.get("statistics"));
  if (files.size() != sources.size()) {
    throw Error(ErrorCode::invalid_argument, "--statistics: " + std::to_string(files.size()) + " files for " + std::to_string(sources.size()) + " models");
  }
  for (std::size_t i = 0; i < files.size(); ++i) sources[i].statistics = session.path(files[i]);
}

bool is_same(const MergeSource& a, const MergeSource& b) {
  if (!a.computed || !b.computed) return a.commit == b.commit && a.computed.has_value() == b.computed.has_value();
  return a.computed->computed->pinned() == b.computed->computed->pinned();
}

MergeHeads choose_heads(const Arguments& arguments, const Repository& repository, const std::vector<MergeSource>& sources, std::size_t& of) {
  if (!arguments.has("heads")) return MergeHeads::single;
  const std::string text = arguments.get("heads");
  if (text == "none") return MergeHeads::none;
  const MergeSource wanted = find_merge_source(repository, text);
  const auto place = std::find_if(sources.begin(), sources.end(), [&](const MergeSource& source) { return is_same(source, wanted); });
  if (place == sources.end()) throw Error(ErrorCode::invalid_argument, "--heads " + printable(text) + " is none of the models that are merged");
  of = static_cast<std::size_t>(place - sources.begin());
  return MergeHeads::of_model;
}

/// With --json {commit, branch, base, method, files_of, merged, unchanged, own, changed, elements, full_bytes, stored_bytes, notes}.
void print_merge(const Session& session, const MergeReport& report, const MergeOptions& options, const std::string& branch, std::size_t models) {
  if (session.json) {
    print_pretty(ordered_json{{"commit", report.commit.hex()}, {"branch", branch}, {"base", report.base.hex()}, {"method", std::string(options.method->name)},
                              {"files_of", report.files_of}, {"merged", report.counts.merged}, {"unchanged", report.counts.unchanged}, {"own", report.counts.own},
                              {"changed", report.delta.changed}, {"elements", report.delta.base_elements}, {"full_bytes", report.full_bytes},
                              {"stored_bytes", report.stored_bytes}, {"notes", report.notes}});
    return;
  }
  session.say("[" + branch + " " + report.commit.short_hex() + "] " + std::to_string(models) + " models by " + std::string(options.method->name) + ": " +
              changed_text(report.delta, report.full_bytes, report.stored_bytes));
  std::string line = grouped(report.counts.merged) + " tensors merged, " + grouped(report.counts.unchanged) + " as in the base";
  if (report.counts.own > 0) line += ", " + grouped(report.counts.own) + " of " + printable(report.files_of) + " alone";
  session.say(line + "; files of " + (report.files_of.empty() ? "the base" : printable(report.files_of)));
}

/// What is to be merged, as the command line or a configuration says it.
struct Request {
  std::vector<MergeSource> sources;
  const MergeMethod* method = nullptr;
  std::optional<MergePlan> plan;  ///< of a configuration
  MergeSettings::Given given;
  MergeOptions options;
  std::string description;
};

void add_sources(Request& request, const Repository& repository, const std::vector<std::string>& revisions) {
  for (const std::string& text : revisions) {
    request.sources.push_back(find_merge_source(repository, text));
    request.description += (request.description.empty() ? "merge " : ", ") + text;
  }
}

/// The weights that the first task is a difference from.
ObjectId base_of(const Repository& repository, const std::vector<MergeSource>& sources) {
  for (const MergeSource& source : sources) {
    const Commit commit = repository.read_commit(source.computed ? commit_on_base(*source.computed) : source.commit);
    if (source.computed || commit.is_task()) return base_weights(repository, commit);
  }
  throw Error(ErrorCode::invalid_argument, "there is no task among the models: merge at least one (a base has no difference to add)");
}

void check_base(const Repository& repository, const std::string& revision, const ObjectId& weights) {
  if (revision.empty()) return;
  const Commit commit = repository.read_commit(resolve_base(repository, revision));
  if (!commit.is_task() && read_checkpoint(repository, commit).weights == weights) return;
  throw Error(ErrorCode::conflict, "base_model " + printable(revision) + " is not the base of the tasks: they are differences from the weights " +
                                       weights.short_hex());
}

Request configured(const Arguments& arguments, const Session& session, const Repository& repository) {
  for (const char* other : {"rev", "method", "weights", "density", "set", "preset"}) {
    if (!arguments.has(other)) continue;
    const std::string what = other == std::string("rev") ? "the revisions" : "--" + std::string(other);
    throw Error(ErrorCode::invalid_argument, "--config says what is merged and how; leave " + what + " out");
  }
  MergeConfig config = read_merge_config(session.fs(), session.path(arguments.get("config")));
  for (const std::string& note : config.notes) session.note("note: " + note);
  Request request;
  request.method = &find_merge_method(config.method);
  add_sources(request, repository, MergePlan::models_of(config));
  const ObjectId base = base_of(repository, request.sources);
  const std::vector<TensorInfo> tensors = StoredWeights::load(repository.store(), base)->tensors();
  request.options.calculated_in = calculated_in(config, tensors);
  request.options.more_facts["merge_config_sha256"] = config.sha256;
  request.plan.emplace(std::move(config), tensors);
  for (const std::string& note : request.plan->notes()) session.note("note: " + note);
  check_base(repository, request.plan->base(), base);
  request.given = request.plan->given("");
  return request;
}

Request typed(const Arguments& arguments, const Repository& repository) {
  if (arguments.all("rev").empty()) throw Error(ErrorCode::invalid_argument, "say what to merge: dstore merge A B --name NAME");
  Request request;
  request.method = &find_merge_method(arguments.get("method", "linear"));
  add_sources(request, repository, arguments.all("rev"));
  request.given = given_merge_parameters(arguments);
  return request;
}

int run(const Arguments& arguments, Session& session) {
  if (arguments.has("list-methods")) {
    return arguments.has("method") ? list_merge_parameters(session, find_merge_method(arguments.get("method"))) : list_merge_methods(session);
  }
  if (arguments.has("into")) return run_merge_into(arguments, session);
  for (const char* option : {"on-conflict", "files", "dry-run"}) {
    if (arguments.has(option)) throw Error(ErrorCode::invalid_argument, "--" + std::string(option) + " goes with --into BRANCH");
  }
  if (!arguments.has("name")) throw Error(ErrorCode::invalid_argument, "say what the result is called: --name NAME, or what to merge into: --into BRANCH");
  Repository repository = session.open();
  if (arguments.all("rev").size() == 1 && !arguments.has("config")) {
    const Revision revision = resolve_revision(repository, arguments.get("rev"));
    if (revision.computed) return run_merge_computed(arguments, session, repository, revision);
  }
  Request request = arguments.has("config") ? configured(arguments, session, repository) : typed(arguments, repository);
  const MergeMethod& method = *request.method;
  std::vector<MergeSource>& sources = request.sources;
  add_statistics(arguments, session, sources);
  check_merge_models(method, sources.size());
  MergeSettings settings(method.name, method.parameters, request.given, sources.size(), arguments.number("seed").value_or(0));
  if (request.plan && request.plan->varies()) settings.vary([&](std::string_view tensor) { return request.plan->given(tensor); });
  else check_merge_weights(method, settings);
  MergeOptions& options = request.options;
  options.method = &method;
  options.settings = &settings;
  options.heads = choose_heads(arguments, repository, sources, options.heads_of);
  if (common_rows(arguments)) options.rows = MergeRows::common;
  options.message = arguments.get("message", request.description + " by " + std::string(method.name));
  if (options.message.empty()) throw Error(ErrorCode::invalid_argument, "say what this commit is: -m MSG");
  const RefName branch = RefName::parse(arguments.get("name"));
  const Committer committer = session.committer(arguments);
  const MergeReport report = merge(repository, sources, options, branch, committer, session.progress("merging"));
  for (const std::string& note : report.notes) session.note("note: " + note);
  print_merge(session, report, options, branch.text(), sources.size());
  return 0;
}

}  // namespace

Command merge_command() {
  Command command{"merge", "Work", "Merge tasks of one base into a new task, or one task into another's branch",
          "dstore merge sst2 mnli --weights 0.6,0.4 --name both\n  dstore merge a b c --method ties --density 20% --set lambda=0.8 --name abc\n  dstore merge --config merge.yml --name abc\n"
          "  dstore merge origin/sst2 --into sst2 --on-conflict add\n  dstore merge 'base+0.7*sst2 - toxic' --name calm\n  dstore merge --method ties 'base+sst2+mnli' qnli --name three",
          {{"rev", "Tasks, their base, what is computed from them; with --into one task; a single computed revision is committed as it is", PositionalSpec::any}},
          {{"--method", "M", "How (default: linear); --list-methods lists them"},
           {"--weights", "W,W,…", "Of each model, or one for all (default: 1)"},
           {"--density", "D,D,…", "Share of each model's difference that is kept: 20% or 0.2"},
           {"--set", "KEY=VALUE", "A parameter of the method; KEY=V1,V2,… for each model", true},
           {"--preset", "P", "Rules of mergekit, peft or the method's paper, where they differ"},
           {"--statistics", "FILE,…", "Of each model, for fisher and regmean: `dstore stats fisher` makes them"},
           {"--config", "FILE", "All of that from a mergekit configuration (YAML), whose models are revisions"},
           {"--seed", "N", "For methods that drop at random (default: 0)"},
           {"--heads", "REV|none", "Whose tensors that the base lacks are taken, with that model's files"},
           {"--name", "TASK", "New branch for the result"},
           {"--into", "BRANCH", "Three-way: merge the changes since the common ancestor into this branch, as a commit with two parents"},
           {"-m,--message", "MSG", "What it is (default: what was done)"},
           {"--author", "WHO", "Author (default: $DSTORE_AUTHOR, or user@host)"},
           {"--no-sign", nullptr, "Make an unsigned commit"},
           {"--list-methods", nullptr, "List the methods with their parameters; with --method M what M's parameters mean"}},
          run};
  for (const OptionSpec& option : three_way_option_specs(kMergeWords)) command.options.push_back(option);
  return command;
}

}  // namespace dstore::cli
