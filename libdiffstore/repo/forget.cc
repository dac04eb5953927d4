#include "repo/forget.h"

#include "dstore/error.h"
#include "repo/closure.h"
#include "repo/forgotten.h"
#include "repo/reachable.h"

namespace dstore {
namespace {

/// Dead is what only these commits use.
class Takedown : public Liveness {
 public:
  Takedown(const Repository& repository, std::set<ObjectId> commits)
      : repository_(repository), commits_(std::move(commits)), theirs_(repository, {}), others_(repository, commits_) {
    others_.forget(forgotten_commits(repository));
    for (const ObjectId& id : commits_) {
      for (const ObjectId& evaluation : repository.store().evaluations_of(id)) add_signed(evaluation);
      if (!repository.store().contains(id)) continue;
      add_content(repository.read_commit(id));
      add_signed(id);
    }
    exclusive_.insert(theirs_.ids().begin(), theirs_.ids().end());
  }

  void mark(const std::vector<ObjectId>&) override {
    mark_others();
    // What a remote's mirror names, say, stays as a record.
    for (const ObjectId& root : collection_roots(repository_, {})) others_.add_commit(root);
  }
  /// Error{corrupt} where it cannot be told what the other commits use.
  void mark_others() {
    repository_.store().for_each(ObjectKind::commit, [&](const ObjectEntry& entry) {
      if (others_.forgotten().contains(entry.id)) return;
      try {
        others_.add_commit(entry.id);
      } catch (const Error& error) {
        if (error.code() == ErrorCode::io) throw;
        throw Error(ErrorCode::corrupt, std::string(error.what()) + "; commit " + entry.id.short_hex() +
                                            " needs it, so it cannot be told what else is its own: repair first (`dstore verify` lists the damage)");
      }
    });
  }

  bool is_dead(const PackEntry& entry) const override { return is_dead(entry.id); }
  bool is_dead(const ObjectId& id) const { return exclusive_.contains(id) && !others_.contains(id); }
  void keep(const PackEntry& entry) override { others_.add_object(entry.kind, entry.id); }

  /// Objects of the commits.
  const std::unordered_set<ObjectId>& objects() const { return exclusive_; }

 private:
  void add_signed(const ObjectId& id) {
    exclusive_.insert(id);
    for (const ObjectId& signature : repository_.store().signatures_of(id)) exclusive_.insert(signature);
  }
  /// A commit whose content has gone already, in part or whole, is forgotten again without complaint.
  void add_content(const Commit& commit) {
    try {
      theirs_.add_content(commit);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::io) throw;
      theirs_.add_object(ObjectKind::checkpoint, commit.checkpoint);
      if (commit.delta) theirs_.add_object(ObjectKind::delta, *commit.delta);
    }
  }

  const Repository& repository_;
  const std::set<ObjectId> commits_;
  Closure theirs_;
  Closure others_;
  std::unordered_set<ObjectId> exclusive_;
};

/// Branches and tags that would lead nowhere, with the reason.
std::vector<std::pair<RefEntry, std::string>> refs_in_the_way(const Repository& repository, const std::set<ObjectId>& commits) {
  std::vector<std::pair<RefEntry, std::string>> out;
  for (const RefEntry& head : repository.refs().heads()) {
    if (commits.contains(head.new_commit)) {
      out.emplace_back(head, head.ref.text() + " is at " + head.new_commit.short_hex());
      continue;
    }
    if (!repository.store().contains(head.new_commit)) continue;
    const Commit commit = repository.read_commit(head.new_commit);
    if (commit.base && commits.contains(*commit.base)) {
      out.emplace_back(head, head.ref.text() + " is a task of the base " + commit.base->short_hex());
    }
  }
  return out;
}

[[noreturn]] void refuse(const std::vector<std::pair<RefEntry, std::string>>& refs) {
  std::string message = "still needed:";
  for (const auto& [head, reason] : refs) message += " " + reason + ",";
  message.back() = ';';
  throw Error(ErrorCode::conflict, message + " delete or reset them first (`dstore branch -d`, `dstore reset`), or --force deletes them");
}

RefEntry record_of(Repository& repository, const ObjectId& commit, const Committer& committer) {
  const RefName name = forgotten_name(commit);
  for (;;) {
    const auto head = repository.refs().head(name);
    if (head && !head->is_deletion()) return *head;
    move_ref(repository.refs(), repository.config().repository, name, RefKind::forgotten, ObjectId(), commit, committer);
  }
}

}  // namespace

ForgetReport forget(Repository& repository, const std::vector<ObjectId>& commits, bool force, const Committer& committer, const CollectOptions& options) {
  ForgetReport report;
  const std::set<ObjectId> targets(commits.begin(), commits.end());
  const auto in_the_way = refs_in_the_way(repository, targets);
  if (!in_the_way.empty() && !force) refuse(in_the_way);
  Takedown takedown(repository, targets);
  takedown.mark_others();  // before anything is written: it may be refused
  {
    const Lease lease = repository.store().lease();
    for (const auto& [head, reason] : in_the_way) {
      if (!move_ref(repository.refs(), repository.config().repository, head.ref, head.kind, head.new_commit, ObjectId(), committer)) {
        throw Error(ErrorCode::conflict, head.ref.text() + " was moved by somebody else at the same time; nothing is forgotten yet, try again");
      }
      report.deleted_refs.push_back(head.ref.text());
    }
    for (const ObjectId& commit : targets) report.records.push_back(record_of(repository, commit, committer));
  }
  CollectOptions all = options;
  all.leaf_share = 0;
  all.earlier_first = false;
  report.collection = repository.store().collect(takedown, all);
  for (const ObjectId& id : takedown.objects()) {
    if (!takedown.is_dead(id)) {
      ++report.shared;
      if (targets.contains(id)) report.kept_records.push_back(id);
      continue;
    }
    ++report.exclusive;
    if (repository.store().contains(id)) ++report.still_there;
  }
  return report;
}

}  // namespace dstore
