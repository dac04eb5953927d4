#include "repo/bundle.h"

#include "command.h"
#include "dstore/error.h"
#include "output.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  const std::string file = session.path(arguments.get("output"));
  if (file.empty()) throw Error(ErrorCode::invalid_argument, "say where to: dstore bundle TASK -o FILE");
  const Repository repository = session.open();
  const std::vector<std::string> typed = arguments.all("task");
  if (arguments.has("name") && typed.size() > 1) throw Error(ErrorCode::invalid_argument, "--name is for one task, not " + std::to_string(typed.size()));
  std::vector<BundleEntry> entries;
  bool any_computed = false;
  for (const std::string& text : typed) {
    entries.push_back({arguments.has("name") ? RefName::parse(arguments.get("name")).text() : RefName::is_valid(text) ? text : "", find_merge_source(repository, text)});
    any_computed = any_computed || entries.back().source.computed;
  }
  const Committer committer = any_computed ? session.committer(arguments) : Committer{};
  const BundleReport report = create_bundle(repository, entries, file, arguments.has("force"), committer, session.progress("bundling"));
  if (session.json) {
    Json::Object names;
    for (const BundledTask& task : report.tasks) names.emplace(task.name, task.commit.hex());
    Json json;
    json.set("file", file);
    json.set("bytes", static_cast<std::int64_t>(report.size));
    json.set("tasks", Json(std::move(names)));
    print_json(json.serialize());
    return 0;
  }
  std::string names;
  for (const BundledTask& task : report.tasks) names += (names.empty() ? "" : ", ") + task.name;
  session.say(printable(file) + ": " + names + " (" + human_size(report.size) + "); put it on a base with `dstore apply " + printable(file) + " FOLDER -o OUT`");
  return 0;
}

}  // namespace

Command bundle_command() {
  return {"bundle", "Share", "Write tasks into one file, to be applied without a repository",
          "dstore bundle sst2 -o sst2.bundle\n  dstore bundle 'base+0.7*sst2 - toxic' --name calm -o calm.bundle",
          {{"task", "Tasks to put into it; what is computed is there as a commit of its own, which the repository does not get", PositionalSpec::some}},
          {{"-o,--output", "FILE", "The file (required)"},
           {"--name", "TASK", "What a single task is called there (default: its branch or tag, or the commit's id)"},
           {"--force", nullptr, "Replace the file if it is there"},
           {"--author", "WHO", "Author of the commit of what is computed (default: $DSTORE_AUTHOR, or user@host)"},
           {"--no-sign", nullptr, "Make that commit unsigned"}},
          run};
}

}  // namespace dstore::cli
