#include "command.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  const RefName branch = RefName::parse(arguments.get("branch"));
  const auto head = repository.refs().head(branch);
  if (!head || head->is_deletion()) {
    throw Error(ErrorCode::not_found, "no branch is called " + branch.text() + "; `dstore branch " + branch.text() + " REV` makes one");
  }
  if (head->kind != RefKind::branch) throw Error(ErrorCode::conflict, branch.text() + " is a tag, and a tag never moves");
  const ObjectId target = resolve_commit(repository, arguments.get("rev"));
  if (target != head->new_commit) {
    const bool is_task = repository.read_commit(target).is_task();
    if (repository.store().contains(head->new_commit) && repository.read_commit(head->new_commit).is_task() != is_task) {
      throw Error(ErrorCode::conflict, "branch " + branch.text() + (is_task ? " holds a base, and " : " holds a task, and ") + target.short_hex() +
                                           (is_task ? " is a task" : " is a base") + "; a branch holds either");
    }
    if (!point_ref(repository, branch, RefKind::branch, head->new_commit, target, session.committer(arguments))) {
      throw Error(ErrorCode::conflict, "branch " + branch.text() + " was moved by somebody else at the same time; look at it and try again");
    }
  }
  if (session.json) {
    Json json;
    json.set("branch", branch.text());
    json.set("before", head->new_commit.hex());
    json.set("after", target.hex());
    print_json(json.serialize());
    return 0;
  }
  session.say(target == head->new_commit ? branch.text() + " is at " + target.short_hex() + " already"
                                         : branch.text() + ": " + head->new_commit.short_hex() + " → " + target.short_hex() + " (" +
                                               printable(repository.read_commit(target).subject()) + "); back with: dstore reset " + branch.text() + " " +
                                               branch.text() + "@{1}");
  return 0;
}

}  // namespace

Command reset_command() {
  return {"reset", "Upkeep", "Move a branch to another commit", "dstore reset sst2 sst2@{1}",
          {{"branch", "Branch to move"}, {"rev", "Where to: a commit, also one that it named before (NAME@{1})"}},
          {{"--no-sign", nullptr, "Do not sign the move"}},
          run};
}

}  // namespace dstore::cli
