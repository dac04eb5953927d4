#include "collect_output.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/forget.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

Json as_json(const ForgetReport& report) {
  Json::Array records, refs, kept, packs;
  for (const RefEntry& record : report.records) {
    Json row;
    row.set("commit", record.new_commit.hex());
    row.set("record", record.ref.text());
    row.set("digest", record.digest().hex());
    row.set("signed", record.signature.empty() ? 0 : 1);
    records.push_back(std::move(row));
  }
  for (const std::string& ref : report.deleted_refs) refs.emplace_back(ref);
  for (const ObjectId& id : report.kept_records) kept.emplace_back(id.hex());
  for (const ObjectId& pack : report.collection.packs_deleted) packs.emplace_back(pack.hex());
  std::uint64_t bytes = 0;
  for (const auto& [kind, amount] : report.collection.removed) bytes += amount.bytes;
  Json json;
  json.set("forgotten", Json(std::move(records)));
  json.set("deleted_refs", Json(std::move(refs)));
  json.set("history_keeps", Json(std::move(kept)));
  json.set("packs", Json(std::move(packs)));
  json.set("objects", static_cast<std::int64_t>(report.exclusive));
  json.set("bytes", static_cast<std::int64_t>(bytes));
  json.set("shared", static_cast<std::int64_t>(report.shared));
  json.set("still_there", static_cast<std::int64_t>(report.still_there));
  return json;
}

void print_proof(const Session& session, const ForgetReport& report) {
  for (const std::string& ref : report.deleted_refs) session.say("deleted " + ref);
  for (const RefEntry& record : report.records) {
    session.say("forgot commit " + record.new_commit.hex());
    session.say("  record " + record.digest().hex() + (record.signature.empty() ? ", unsigned: remotes and clones do not honour it" : ", signed; push carries it to remotes"));
  }
  const std::string removed = removed_text(report.collection);
  session.say(removed.empty() ? "removed nothing: no object was theirs alone" : "removed " + removed);
  for (const ObjectId& pack : report.collection.packs_deleted) session.say("  pack " + pack.hex() + " deleted");
  if (report.shared > 0) session.say("kept " + grouped(report.shared) + " of their objects, which other commits use");
  for (const ObjectId& id : report.kept_records) {
    session.say("kept the record of " + id.short_hex() + " (author, message, settings): the history of other commits leads through it");
  }
  if (report.still_there == 0) session.say("checked: none of the " + grouped(report.exclusive) + " objects that were theirs alone is in the store any more");
}

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  std::vector<ObjectId> commits;
  for (const std::string& revision : arguments.all("commit")) commits.push_back(resolve_commit(repository, revision));
  const Committer committer = session.committer(arguments);
  const ForgetReport report = forget(repository, commits, arguments.has("force"), committer, collect_options(arguments, session));
  if (session.json) {
    print_json(as_json(report).serialize());
  } else {
    print_proof(session, report);
  }
  if (!report.collection.waiting.empty()) {
    throw Error(ErrorCode::conflict, "recorded as forgotten, but " + grouped(report.still_there) + " objects are still there: " +
                                         report.collection.waiting.front().holder + " is writing; run `dstore gc` when it is done");
  }
  if (report.still_there > 0) {
    throw Error(ErrorCode::corrupt, "recorded as forgotten, but " + grouped(report.still_there) + " objects are still there, in damaged packs; see `dstore verify`");
  }
  return 0;
}

}  // namespace

Command forget_command() {
  return {"forget", "Upkeep", "Take commits down: remove every object that only they use, here and (after push) at remotes", "dstore forget sst2~1",
          {{"commit", "Revisions of one commit each", PositionalSpec::some}},
          {{"--force", nullptr, "Delete the branches and tags that are at them, or at tasks of a base among them"},
           kWaitOption,
           {"--no-sign", nullptr, "Do not sign the record (it then counts in this repository alone)"}},
          run};
}

}  // namespace dstore::cli
