#include "repo/publish.h"

#include <chrono>
#include <thread>

#include "base/interrupt.h"
#include "base/mutant.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/forgotten.h"
#include "repo/store_commit.h"

namespace dstore {
namespace {

constexpr int kAttempts = 1000;  // each failed one means that another commit succeeded

void check_use(const Repository& repository, const RefEntry& head, const Commit& commit) {
  if (head.kind == RefKind::tag) throw Error(ErrorCode::conflict, head.ref.text() + " is a tag; commit to a branch (--name)");
  const bool held = repository.read_commit(head.new_commit).is_task();
  if (held == commit.is_task()) return;
  throw Error(ErrorCode::conflict, held ? "branch " + head.ref.text() + " holds a task; give the base another --name"
                                        : "branch " + head.ref.text() + " holds a base checkpoint; give the task another --name");
}

/// Calls use() while the commit stays, also where it lies in condemned packs alone.
template <typename Use>
auto with_living(Repository& repository, const ObjectId& commit, const Use& use) {
  PackSession session = repository.store().begin_write();
  CommitKeeper keeper(repository);
  copy_commits(repository, session, keeper, {commit}, forgotten_commits(repository), {});
  if (session.objects_added() > 0) session.commit();
  return use();
}

/// Writers that have lost the race for a branch once go on one after the other, so that a crowd does not do its work again for each
/// that wins: the file that is held is this one's turn. Only a courtesy: after some time, and where locks fail, it goes on without.
std::unique_ptr<File> wait_for_turn(Repository& repository, const RefName& branch) {
  constexpr std::chrono::milliseconds kPoll{3};
  constexpr int kPolls = 2000;
  const ObjectId place = sha256(as_bytes(branch.text()));
  const ByteRange range{static_cast<std::uint64_t>(std::hash<ObjectId>{}(place) >> 2), 1};
  try {
    auto file = repository.fs().open(repository.path("queue.lock"), OpenMode::open_or_create);
    for (int poll = 0; poll < kPolls && !file->try_lock(LockMode::exclusive, range); ++poll) {
      check_interrupt();
      std::this_thread::sleep_for(kPoll);
    }
    return file;
  } catch (const Error&) {
    return nullptr;
  }
}

}  // namespace

bool move_ref(RefLog refs, const ObjectId& repository_id, const RefName& ref, RefKind kind, const ObjectId& expected,
              const ObjectId& target, const Committer& committer) {
  const auto head = refs.head(ref);
  const ObjectId present = head ? head->new_commit : ObjectId();
  if (present != expected) return false;
  RefEntry entry = next_entry(head, repository_id, ref, kind, target, committer.time);
  if (committer.key != nullptr) entry.signature = armor(sign_message(*committer.key, kRefNamespace, as_bytes(entry.payload())));
  return refs.append(entry);
}

Lease keep_commit(Repository& repository, const ObjectId& commit) {
  Lease lease = repository.store().lease();
  with_living(repository, commit, [&] { lease.rely_only_on({commit}); });
  return lease;
}

bool point_ref(Repository& repository, const RefName& ref, RefKind kind, const ObjectId& expected, const ObjectId& target,
               const Committer& committer) {
  if (const auto record = forgotten_record(repository, target)) {
    throw Error(ErrorCode::not_found, "commit " + target.short_hex() + " was " + describe_forgotten(repository, *record) + "; no branch or tag can name it");
  }
  return with_living(repository, target, [&] {
    return move_ref(repository.refs(), repository.config().repository, ref, kind, expected, target, committer);
  });
}

ObjectId publish_commit(Repository& repository, PackSession& session, Commit commit, const RefName& branch,
                        const Committer& committer, const std::optional<ObjectId>& expected) {
  const std::vector<ObjectId> given_parents = expected ? commit.parents : std::vector<ObjectId>();
  const std::set<ObjectId> forgotten = forgotten_commits(repository);
  CommitKeeper keeper(repository);
  PackSession* current = &session;
  std::optional<PackSession> retry;
  std::unique_ptr<File> turn;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto head = repository.refs().head(branch);
    const ObjectId present = head ? head->new_commit : ObjectId();
    if (head && !head->is_deletion()) check_use(repository, *head, commit);
    if (expected && present != *expected) {
      throw Error(ErrorCode::conflict, "branch " + branch.text() + (expected->is_none() ? " exists already" : " has moved meanwhile") + "; nothing was committed");
    }
    commit.parents = given_parents;
    if (!present.is_none()) {
      if (commit.parents.empty() || commit.parents.front() != present) commit.parents = {present};
    } else if (commit.parents.empty() && commit.base) {
      commit.parents.push_back(*commit.base);
    }
    const ObjectId id = store_commit(repository, *current, keeper, forgotten, commit, committer);
    if (!mutant("ref-before-pack")) current->commit();
    if (move_ref(repository.refs(), repository.config().repository, branch, RefKind::branch, present, id, committer)) {
      if (mutant("ref-before-pack")) current->commit();
      return id;
    }
    retry.reset();
    if (!turn) turn = wait_for_turn(repository, branch);
    retry.emplace(repository.store().begin_write());
    current = &*retry;
  }
  throw Error(ErrorCode::conflict, "branch " + branch.text() + " keeps moving; try again");
}

}  // namespace dstore
