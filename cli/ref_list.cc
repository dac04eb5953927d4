#include "ref_list.h"

#include "dstore/error.h"
#include "output.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

const char* word(RefKind kind) { return kind == RefKind::tag ? "tag" : "branch"; }

struct Row {
  std::string name;
  ObjectId commit;
};

void append(const Session& session, const RefLog& log, RefKind kind, const std::string& prefix, std::vector<Row>& rows) {
  const RefHeads found = log.listed_heads();
  for (const Error& error : found.damaged) session.report(error);
  for (const RefEntry& head : found.heads) {
    if (head.kind == kind) rows.push_back({prefix + head.ref.text(), head.new_commit});
  }
}

}  // namespace

int list_refs(const Session& session, const Repository& repository, RefKind kind, bool remotes) {
  std::vector<Row> rows;
  append(session, repository.refs(), kind, "", rows);
  if (remotes) {
    for (const auto& [remote, url] : repository.config().remotes) append(session, repository.remote_refs(remote), kind, remote + "/", rows);
  }
  std::map<ObjectId, Commit> commits;  // many tags may name one
  Json::Array list;
  Table table({"", "", "", ""});
  for (const Row& row : rows) {
    const auto known = commits.find(row.commit);
    const Commit& commit = known != commits.end() ? known->second : commits.emplace(row.commit, repository.read_commit(row.commit)).first->second;
    Json json;
    json.set("name", row.name);
    json.set("commit", row.commit.hex());
    json.set("kind", commit.is_task() ? "task" : "base");
    list.push_back(std::move(json));
    table.add({row.name, row.commit.short_hex(), commit.is_task() ? "task" : "base", printable(commit.subject())});
  }
  if (session.json) {
    print_json(Json(std::move(list)).serialize());
    return 0;
  }
  std::string text = table.text();
  if (!text.empty()) text.pop_back();
  if (!rows.empty()) session.say(text);
  return 0;
}

int create_ref(const Arguments& arguments, Session& session, Repository& repository, RefKind kind) {
  const RefName name = RefName::parse(arguments.get("name"));
  if (!arguments.has("rev")) {
    throw Error(ErrorCode::invalid_argument, std::string("say which commit: dstore ") + word(kind) + " " + name.text() + " REV");
  }
  const ObjectId target = resolve_commit(repository, arguments.get("rev"));
  const auto head = repository.refs().head(name);
  if (head && !head->is_deletion()) throw Error(ErrorCode::conflict, name.text() + " exists already, at " + head->new_commit.short_hex());
  const Committer committer = session.committer(arguments);
  if (!point_ref(repository, name, kind, ObjectId(), target, committer)) {
    throw Error(ErrorCode::conflict, name.text() + " was made by somebody else at the same time");
  }
  session.say(std::string(word(kind)) + " " + name.text() + " is at " + target.short_hex());
  return 0;
}

int delete_ref(const Arguments& arguments, Session& session, Repository& repository, RefKind kind, const std::string& name) {
  const RefName ref = RefName::parse(name);
  const auto head = repository.refs().head(ref);
  if (!head || head->is_deletion() || head->kind != kind) {
    throw Error(ErrorCode::not_found, std::string("no ") + word(kind) + " is called " + ref.text());
  }
  const Committer committer = session.committer(arguments);
  const Lease lease = repository.store().lease();
  if (!move_ref(repository.refs(), repository.config().repository, ref, kind, head->new_commit, ObjectId(), committer)) {
    throw Error(ErrorCode::conflict, ref.text() + " was moved by somebody else at the same time");
  }
  session.say(std::string("deleted ") + word(kind) + " " + ref.text() + " (was " + head->new_commit.short_hex() + ")");
  return 0;
}

}  // namespace dstore::cli
