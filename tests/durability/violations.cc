#include <map>

#include "operations.h"
#include "repo/forgotten.h"
#include "repo/missing_objects.h"
#include "repo/sandbox.h"

namespace dstore::test {
namespace {

using Lines = std::vector<std::string>;

std::map<ObjectId, ObjectKind> objects_of(const Repository& repository) {
  std::map<ObjectId, ObjectKind> found;
  repository.store().for_each(std::nullopt, [&](const ObjectEntry& entry) { found.emplace(entry.id, entry.kind); });
  return found;
}

/// Every commit that a history of this store names, or with `last` only those that the refs name now; checks the histories on the way.
std::vector<ObjectId> named_commits(const Repository& repository, bool last) {
  std::vector<RefLog> logs{repository.refs()};
  for (const auto& [name, url] : repository.config().remotes) logs.push_back(repository.remote_refs(name));
  std::vector<ObjectId> commits;
  for (const RefLog& log : logs) {
    for (const RefName& ref : log.list()) {
      const std::vector<RefEntry> entries = log.entries(ref);
      for (const RefEntry& entry : entries) {
        if (!entry.is_deletion() && !is_forgotten_name(ref) && (!last || entry == entries.back())) commits.push_back(entry.new_commit);
      }
    }
  }
  return commits;
}

void check_complete(const Repository& repository, const std::vector<ObjectId>& commits, const std::string& what, Lines& out) {
  const MissingObjects missing = find_missing_objects(repository, commits);
  for (const std::string& line : gap_lines(missing)) out.push_back(what + line);
  for (const std::string& line : missing.damaged) out.push_back(what + line);
}

/// The next command: a commit to a branch of its own, whole when it is opened again.
void commit_next(Filesystem& fs, const std::string& store, Lines& out) {
  ObjectId id;
  {
    Repository repository = Repository::open(fs, store, IndexMode::database);
    const std::string key = scene().key;
    const PrivateKey by = PrivateKey::parse(key, "key");
    const Committer committer{"Ada <ada@example.org>", &by, 1700000001};
    if (repository.refs().heads().empty()) {
      id = import_folder(repository, CheckpointFolder(fs, "/base"), RefName::parse("next"), "next", committer, {}).commit;
    } else {
      Commit commit = repository.read_commit(resolve_commit(repository, "base"));
      commit.message = "next";
      PackSession session = repository.store().begin_write();
      id = publish_commit(repository, session, commit, RefName::parse("next"), committer);
    }
  }
  const Repository again = Repository::open(fs, store, IndexMode::database);
  if (resolve_commit(again, "next") != id) out.push_back("the next commit is not there");
  check_complete(again, {id}, "the next commit: ", out);
}

void check_store(Filesystem& fs, const std::string& store, bool drops_history, bool read_only, Lines& out) {
  if (!Repository::is_repository(fs, store)) {
    if (!read_only) {
      Repository::create(fs, store, IndexMode::database);
      commit_next(fs, store, out);
    }
    return;
  }
  {
    const Repository repository = Repository::open(fs, store, IndexMode::database);
    for (const StoreProblem& problem : repository.store().verify_all({}, 1)) out.push_back("damaged: " + problem.message);
    const std::vector<ObjectId> commits = named_commits(repository, drops_history);
    check_complete(repository, commits, "missing: ", out);
    for (const ObjectId& id : commits) {
      if (repository.check_commit(id).signature.verdict != Verdict::good) out.push_back("commit " + id.short_hex() + " is not well signed");
    }
    const Repository bare = Repository::open(fs, store, IndexMode::memory);
    if (objects_of(repository) != objects_of(bare)) out.push_back("the index does not have the packs' objects");
    for (const std::string& name : read_only ? Lines() : list_stages(repository)) read_stage(repository, RefName::parse(name));
  }
  if (!read_only) commit_next(fs, store, out);
}

void check_folder(Filesystem& fs, const std::string& folder, bool read_only, Lines& out) {
  if (!exists(fs, folder)) {
    if (folder == kCheckout || folder == kApplied) out.push_back(folder + " is gone");
    return;
  }
  if (read_only) return;
  const auto record = read_checkout_record(fs, folder);  // finishes what was begun
  if (!record) return out.push_back(folder + " is no checkout");
  if (!folder_changes(fs, folder, *record, true).empty()) out.push_back(folder + " is not what its record says");
}

}  // namespace

std::vector<std::string> violations(Filesystem& fs, const Operation& operation, const std::vector<Acknowledged>& acknowledged, bool read_only) {
  Lines out;
  const auto guarded = [&](const std::string& what, const auto& check) {
    try {
      check();
    } catch (const Error& error) {
      out.push_back(what + ": " + error.what());
    }
  };
  for (const Acknowledged& done : acknowledged) {
    guarded(done.what, [&] {
      if (!done.holds(fs)) out.push_back("lost: " + done.what);
    });
  }
  for (const std::string& folder : operation.folders) guarded(folder, [&] { check_folder(fs, folder, read_only, out); });
  for (const std::string& store : operation.stores) guarded(store, [&] { check_store(fs, store, operation.drops_history, read_only, out); });
  return out;
}

}  // namespace dstore::test
