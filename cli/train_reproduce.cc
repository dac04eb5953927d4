#include "train_reproduce.h"

#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/compare_stage.h"
#include "repo/revision.h"
#include "training_run.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

/// What equal bits depend on besides the options.
constexpr const char* kMachineFacts[] = {"dstore_version", "libtorch", "cpu_capability", "device", "threads"};

struct Difference {
  std::string what, recorded, now;
};

const std::string& fact(const Commit& commit, const ObjectId& id, const char* name) {
  const auto found = commit.training.find(name);
  if (found == commit.training.end()) {
    throw Error(ErrorCode::invalid_argument, "commit " + id.short_hex() + " has no record \"" + name + "\" of a training: only what this version of `dstore train` made can be reproduced");
  }
  return found->second;
}

std::string text_of(const ordered_json& object, const char* key) { return object.contains(key) ? object[key].get<std::string>() : "not recorded"; }

void compare_facts(const Commit& commit, const ordered_json& stage, std::vector<Difference>& out) {
  for (const char* name : kMachineFacts) {
    const auto recorded = commit.training.find(name);
    const std::string before = recorded == commit.training.end() ? "not recorded" : recorded->second, now = text_of(stage["training"], name);
    if (before != now) out.push_back({name, before, now});
  }
}

void compare_metrics(const Commit& commit, const ordered_json& stage, std::vector<Difference>& out) {
  for (const Metric& metric : commit.metrics) {
    for (const ordered_json& row : stage["metrics"]) {
      if (text_of(row, "split") != metric.split || text_of(row, "metric") != metric.name || text_of(row, "data_sha256") != metric.data_sha256) continue;
      if (text_of(row, "value") != metric.value) out.push_back({metric.split + " " + metric.name, metric.value, text_of(row, "value")});
    }
  }
}

void print_result(const Session& session, const ObjectId& id, const EntryDifferences& entries, const std::vector<Difference>& differences, const std::string& changes) {
  if (session.json) {
    ordered_json json = {{"commit", id.hex()}, {"identical", entries.different == 0}, {"entries", entries.entries}, {"different", entries.different}};
    json["differences"] = ordered_json::array();
    for (const Difference& d : differences) json["differences"].push_back({{"what", d.what}, {"recorded", d.recorded}, {"now", d.now}});
    return print_json(json.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  }
  for (const Difference& d : differences) session.say(printable(d.what) + ": recorded " + printable(d.recorded) + ", now " + printable(d.now));
  if (!changes.empty()) session.say("the recorded run was changed on its way, which is not repeated: " + printable(changes));
  session.say(entries.different == 0 ? "reproduced: all " + grouped(entries.entries) + " entries have the bits of commit " + id.short_hex()
                                     : grouped(entries.different) + " of " + grouped(entries.entries) + " entries, in " + grouped(entries.tensors) +
                                           " tensors, differ from commit " + id.short_hex());
}

}  // namespace

int reproduce(const Arguments& arguments, Session& session) {
  for (const char* option : {"name", "message", "resume", "seeds"}) {
    if (arguments.has(option)) throw Error(ErrorCode::invalid_argument, "--reproduce stages nothing and goes with no --" + std::string(option));
  }
  std::vector<std::string> rest = arguments.rest;
  if (!rest.empty() && !rest.front().starts_with("-")) {
    throw Error(ErrorCode::invalid_argument, "--reproduce: the base is the recorded one; leave " + printable(rest.front()) + " out");
  }
  Repository repository = session.open();
  const ObjectId id = resolve_commit(repository, arguments.get("reproduce"));
  const Commit commit = repository.require_commit(id).commit;
  const std::string& config = fact(commit, id, "config");
  const std::string& data = fact(commit, id, "data_sha256");
  TrainingRun training(session, repository, (commit.derived_from.empty() ? commit.base.value_or(id) : commit.derived_from.front()).hex());
  session.fs().make_directory(training.folder());
  const std::string config_path = join_path(training.folder(), "config.json");
  write_file_atomically(session.fs(), config_path, as_bytes(config));
  rest.insert(rest.begin(), {training.base().hex(), "--config", config_path, "--expect-data", data});
  if (const int status = training.run(rest); status != 0) return status;

  const auto stage = ordered_json::parse(read_text_file(session.fs(), join_path(training.folder(), "stage.json")));
  std::vector<Difference> differences;
  compare_facts(commit, stage, differences);
  compare_metrics(commit, stage, differences);
  const EntryDifferences entries = compare_stage(repository, training.folder(), text_of(stage, "base_prefix"), training.base(), id);
  remove_tree(session.fs(), training.folder());
  const auto changes = commit.training.find("changed_on_the_way");
  print_result(session, id, entries, differences, changes == commit.training.end() ? "" : changes->second);
  return entries.different == 0 ? 0 : 1;
}

}  // namespace dstore::cli
