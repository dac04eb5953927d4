#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/decimal.h"
#include "command.h"
#include "commit_view.h"
#include "dstore/error.h"
#include "merge_plan.h"
#include "output.h"
#include "repo/merge.h"
#include "repo/model_files.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

/// "20%" is 0.2; everything else is checked by the parameter it is for.
std::vector<std::string> densities(const std::string& text) {
  std::vector<std::string> out = split_list(text);
  for (std::string& value : out) {
    if (!value.empty() && value.back() == '%') value = shortest_decimal(parse_density(value));
  }
  return out;
}

MergeSettings::Given given_parameters(const Arguments& arguments) {
  MergeSettings::Given given;
  if (arguments.has("weights")) given["weight"] = split_list(arguments.get("weights"));
  if (arguments.has("preset")) given["preset"] = {arguments.get("preset")};
  if (arguments.has("density")) given["density"] = densities(arguments.get("density"));
  for (const std::string& setting : arguments.all("set")) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) throw Error(ErrorCode::invalid_argument, "--set " + printable(setting) + ": give KEY=VALUE, or KEY=V1,V2,… for each model");
    given[setting.substr(0, equals)] = split_list(setting.substr(equals + 1));
  }
  return given;
}

void check_models(const MergeMethod& method, std::size_t models) {
  if (models >= method.least_models && models <= method.most_models) return;
  throw Error(ErrorCode::invalid_argument, "method " + std::string(method.name) + " merges " +
                                               (method.least_models == method.most_models ? "exactly " : "at least ") + std::to_string(method.least_models) + " models, not " +
                                               std::to_string(models));
}

/// Weights that sum to 0 where the method divides by the sum.
void check_weights(const MergeMethod& method, const MergeSettings& settings) {
  if (!settings.has("normalize") || !settings.flag("normalize")) return;
  double sum = 0;
  for (std::size_t i = 0; i < settings.models(); ++i) sum += settings.number("weight", i);
  if (sum != 0) return;
  throw Error(ErrorCode::invalid_argument, "the weights sum to 0, and method " + std::string(method.name) + " divides by their sum; give others, or --set normalize=false");
}

/// --statistics FILE,FILE,…: one for each model.
void add_statistics(const Arguments& arguments, const Session& session, std::vector<MergeSource>& sources) {
  if (!arguments.has("statistics")) return;
  const std::vector<std::string> files = split_list(arguments.get("statistics"));
  if (files.size() != sources.size()) {
    throw Error(ErrorCode::invalid_argument, "--statistics: " + std::to_string(files.size()) + " files for " + std::to_string(sources.size()) + " models");
  }
  for (std::size_t i = 0; i < files.size(); ++i) sources[i].statistics = session.path(files[i]);
}

MergeOptions::Heads choose_heads(const Arguments& arguments, const Repository& repository, const std::vector<MergeSource>& sources, std::size_t& of) {
  if (!arguments.has("heads")) return MergeOptions::Heads::single;
  const std::string text = arguments.get("heads");
  if (text == "none") return MergeOptions::Heads::none;
  const ObjectId commit = resolve_commit(repository, text);
  const auto place = std::find_if(sources.begin(), sources.end(), [&](const MergeSource& source) { return source.commit == commit; });
  if (place == sources.end()) throw Error(ErrorCode::invalid_argument, "--heads " + printable(text) + " is none of the models that are merged");
  of = static_cast<std::size_t>(place - sources.begin());
  return MergeOptions::Heads::of_model;
}

/// What a parameter can be set to.
std::string values_text(const MergeParameter& parameter) {
  std::string text;
  for (const std::string_view choice : parameter.choices) text += (text.empty() ? "" : "|") + std::string(choice);
  if (text.empty()) text = "a number";
  return text + (parameter.per_model ? ", or one for each model" : "");
}

/// The parameters of one method, with what they mean: with --json an array of {parameter, default, per_model, choices, summary}.
int list_parameters(const Session& session, const MergeMethod& method) {
  ordered_json out = ordered_json::array();
  std::string text = std::string(method.name) + ": " + std::string(method.summary);
  for (const auto& [name, value] : method.parameters) {
    const MergeParameter& parameter = *find_merge_parameter(method.name, name);
    out.push_back({{"parameter", std::string(name)}, {"default", std::string(value)}, {"per_model", parameter.per_model}, {"choices", ordered_json::array()},
                   {"summary", std::string(parameter.summary)}});
    for (const std::string_view choice : parameter.choices) out.back()["choices"].push_back(std::string(choice));
    text += "\n  " + std::string(name) + "=" + std::string(value) + "  (" + values_text(parameter) + ")\n      " + std::string(parameter.summary);
  }
  if (session.json) print_pretty(out);
  else session.say(text);
  return 0;
}

/// --list-methods: with --json an array of {method, summary, parameters: {name: default}}.
int list_methods(const Session& session) {
  constexpr std::size_t kColumns = 100;
  ordered_json out = ordered_json::array();
  Table table({"method", "parameters and defaults; --list-methods --method M explains them"});
  for (const MergeMethod* method : merge_methods()) {
    ordered_json parameters = ordered_json::object();
    std::vector<std::string> lines{std::string(method->summary), ""};
    for (const auto& [name, value] : method->parameters) {
      parameters[std::string(name)] = std::string(value);
      const std::string word = std::string(name) + "=" + std::string(value);
      if (lines.back().size() + word.size() > kColumns) lines.emplace_back();
      lines.back() += (lines.back().empty() ? "" : " ") + word;
    }
    out.push_back({{"method", std::string(method->name)}, {"summary", std::string(method->summary)}, {"parameters", std::move(parameters)}});
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!lines[i].empty()) table.add({i == 0 ? std::string(method->name) : "", lines[i]});
    }
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

/// With --json {commit, branch, base, method, files_of, merged, unchanged, own, changed, elements, full_bytes, stored_bytes, notes}.
void print_merge(const Session& session, const MergeReport& report, const MergeOptions& options, const std::string& branch, std::size_t models) {
  if (session.json) {
    print_pretty(ordered_json{{"commit", report.commit.hex()}, {"branch", branch}, {"base", report.base.hex()}, {"method", std::string(options.method->name)},
                              {"files_of", report.files_of}, {"merged", report.counts.merged}, {"unchanged", report.counts.unchanged}, {"own", report.counts.own},
                              {"changed", report.delta.changed}, {"elements", report.delta.base_elements}, {"full_bytes", report.full_bytes},
                              {"stored_bytes", report.stored_bytes}, {"notes", report.notes}});
    return;
  }
  const double share = report.delta.base_elements == 0 ? 0 : static_cast<double>(report.delta.changed) / static_cast<double>(report.delta.base_elements);
  session.say("[" + branch + " " + report.commit.short_hex() + "] " + std::to_string(models) + " models by " + std::string(options.method->name) + ": " +
              grouped(report.delta.changed) + " of " + grouped(report.delta.base_elements) + " weights changed (" + percent(share) + "), " +
              human_size(report.full_bytes) + " → " + human_size(report.stored_bytes));
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
    request.sources.push_back({resolve_commit(repository, text), text});
    request.description += (request.description.empty() ? "merge " : ", ") + text;
  }
}

/// The weights that the first task is a difference from.
ObjectId base_of(const Repository& repository, const std::vector<MergeSource>& sources) {
  for (const MergeSource& source : sources) {
    const Commit commit = repository.read_commit(source.commit);
    if (commit.is_task()) return read_delta(repository, commit).base_weights;
  }
  throw Error(ErrorCode::invalid_argument, "there is no task among the models: merge at least one (a base has no difference to add)");
}

void check_base(const Repository& repository, const std::string& revision, const ObjectId& weights) {
  if (revision.empty()) return;
  const Commit commit = repository.read_commit(resolve_commit(repository, revision));
  if (!commit.is_task() && read_checkpoint(repository, commit).weights == weights) return;
  throw Error(ErrorCode::conflict, "base_model " + printable(revision) + " is not the base of the tasks: they are differences from the weights " + weights.short_hex());
}

Request configured(const Arguments& arguments, const Session& session, const Repository& repository) {
  for (const char* other : {"rev", "method", "weights", "density", "set", "preset"}) {
    if (arguments.has(other)) throw Error(ErrorCode::invalid_argument, std::string("--config says what is merged and how; leave ") + (other == std::string("rev") ? "the revisions" : "--" + std::string(other)) + " out");
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
  request.given = given_parameters(arguments);
  return request;
}

int run(const Arguments& arguments, Session& session) {
  if (arguments.has("list-methods")) return arguments.has("method") ? list_parameters(session, find_merge_method(arguments.get("method"))) : list_methods(session);
  if (!arguments.has("name")) throw Error(ErrorCode::invalid_argument, "say what the result is called: --name NAME");
  Repository repository = session.open();
  Request request = arguments.has("config") ? configured(arguments, session, repository) : typed(arguments, repository);
  const MergeMethod& method = *request.method;
  std::vector<MergeSource>& sources = request.sources;
  add_statistics(arguments, session, sources);
  check_models(method, sources.size());
  MergeSettings settings(method.name, method.parameters, request.given, sources.size(), arguments.number("seed").value_or(0));
  if (request.plan && request.plan->varies()) settings.vary([&](std::string_view tensor) { return request.plan->given(tensor); });
  else check_weights(method, settings);
  MergeOptions& options = request.options;
  options.method = &method;
  options.settings = &settings;
  options.heads = choose_heads(arguments, repository, sources, options.heads_of);
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
  return {"merge", "Work", "Merge tasks of one base into a new task",
          "dstore merge sst2 mnli --weights 0.6,0.4 --name both\n  dstore merge a b c --method ties --density 20% --set lambda=0.8 --name abc\n  dstore merge --config merge.yml --name abc",
          {{"rev", "Tasks, or their base", PositionalSpec::any}},
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
           {"-m,--message", "MSG", "What it is (default: what was done)"},
           {"--author", "WHO", "Author (default: $DSTORE_AUTHOR, or user@host)"},
           {"--no-sign", nullptr, "Make an unsigned commit"},
           {"--list-methods", nullptr, "List the methods with their parameters; with --method M what M's parameters mean"}},
          run};
}

}  // namespace dstore::cli
