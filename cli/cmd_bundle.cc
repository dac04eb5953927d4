#include "repo/bundle.h"

#include "command.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  const std::string file = session.path(arguments.get("output"));
  if (file.empty()) throw Error(ErrorCode::invalid_argument, "say where to: dstore bundle TASK -o FILE");
  const Repository repository = session.open();
  std::vector<BundledTask> tasks;
  for (const std::string& text : arguments.all("task")) {
    const ObjectId commit = resolve_commit(repository, text);
    tasks.push_back({RefName::is_valid(text) ? text : commit.short_hex(), commit});
  }
  std::uint64_t size = 0;
  {
    const Progress progress = session.progress("bundling");
    size = create_bundle(repository, tasks, file, arguments.has("force"), progress);
  }
  if (session.json) {
    Json::Object names;
    for (const BundledTask& task : tasks) names.emplace(task.name, task.commit.hex());
    Json json;
    json.set("file", file);
    json.set("bytes", static_cast<std::int64_t>(size));
    json.set("tasks", Json(std::move(names)));
    print_json(json.serialize());
    return 0;
  }
  std::string names;
  for (const BundledTask& task : tasks) names += (names.empty() ? "" : ", ") + task.name;
  session.say(printable(file) + ": " + names + " (" + human_size(size) + "); put it on a base with `dstore apply " + printable(file) + " FOLDER -o OUT`");
  return 0;
}

}  // namespace

Command bundle_command() {
  return {"bundle", "Share", "Write tasks into one file, to be applied without a repository", "dstore bundle sst2 -o sst2.bundle",
          {{"task", "Tasks to put into it", PositionalSpec::some}},
          {{"-o,--output", "FILE", "The file (required)"}, {"--force", nullptr, "Replace the file if it is there"}}, run};
}

}  // namespace dstore::cli
