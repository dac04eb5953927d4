#include "command.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/checkout_record.h"
#include "repo/commit_task.h"
#include "repo/unfinished_runs.h"

namespace dstore::cli {
namespace {

constexpr const char* kKindNames[] = {"changed", "missing", "new"};

int folder_status(const Arguments& arguments, Session& session, const std::string& folder) {
  const auto record = read_checkout_record(session.fs(), folder);
  if (!record) throw Error(ErrorCode::not_found, printable(folder) + ": is not a checkout (`dstore checkout REV -o FOLDER` makes one)");
  const auto changes = folder_changes(session.fs(), folder, *record, arguments.has("verify"));
  if (session.json) {
    Json::Array rows;
    for (const FolderChange& change : changes) {
      Json row;
      row.set("path", change.path);
      row.set("state", kKindNames[static_cast<int>(change.kind)]);
      rows.push_back(std::move(row));
    }
    Json json;
    json.set("revision", record->revision);
    json.set("commit", record->commit.is_none() ? std::string() : record->commit.hex());
    if (!record->expression.empty()) json.set("expression", record->expression);
    json.set("changes", Json(std::move(rows)));
    print_json(json.serialize());
  } else {
    session.say(printable(folder) + ": " + printable(record->revision) + (record->commit.is_none() ? " (computed)" : " (commit " + record->commit.short_hex() + ")"));
    for (const FolderChange& change : changes) session.say("  " + std::string(kKindNames[static_cast<int>(change.kind)]) + "  " + printable(change.path));
    if (changes.empty()) session.say("as checked out");
  }
  return changes.empty() ? 0 : 1;
}

int repository_status(Session& session) {
  const Repository repository = session.open();
  const auto stages = list_stages(repository);
  const std::vector<UnfinishedRun> runs = unfinished_runs(repository);
  const auto [heads, damaged] = repository.refs().all_heads();
  for (const Error& error : damaged) session.report(error);
  if (session.json) {
    Json::Array names;
    for (const std::string& name : stages) names.emplace_back(name);
    Json json;
    json.set("directory", repository.directory());
    json.set("refs", static_cast<std::int64_t>(heads.size()));
    json.set("staged", Json(std::move(names)));
    Json::Array unfinished;
    for (const UnfinishedRun& run : runs) {
      Json row;
      row.set("name", run.name);
      row.set("step", static_cast<std::int64_t>(run.step));
      unfinished.push_back(std::move(row));
    }
    json.set("unfinished", Json(std::move(unfinished)));
    print_json(json.serialize());
    return 0;
  }
  session.say("repository " + printable(repository.directory()) + ": " + std::to_string(heads.size()) + " branches and tags");
  for (const std::string& name : stages) session.say("staged: " + name + " (commit it with `dstore commit " + name + " -m MSG`)");
  if (stages.empty()) session.say("nothing is staged");
  for (const UnfinishedRun& run : runs) {
    session.say("unfinished: " + run.name + (run.step > 0 ? ", saved after step " + std::to_string(run.step) : "") + " (go on with `dstore train --resume " + run.name + "`)");
  }
  return 0;
}

int run(const Arguments& arguments, Session& session) {
  if (arguments.has("folder")) return folder_status(arguments, session, session.path(arguments.get("folder")));
  return repository_status(session);
}

}  // namespace

Command status_command() {
  return {"status", "Look", "What is staged, or what was changed in a checked-out folder", "dstore status ./out",
          {{"folder", "A checked-out folder (default: the repository)", PositionalSpec::optional}},
          {{"--verify", nullptr, "Hash every file, not only its size and time"}}, run};
}

}  // namespace dstore::cli
