#pragma once

#include <optional>
#include <string>

#include "repo/repository.h"
#include "sign/ssh_key.h"

namespace dstore {

/// Who makes a commit or moves a ref.
struct Committer {
  std::string author;                   ///< "Ada Lovelace <ada@host>"
  const PrivateKey* key = nullptr;      ///< null: unsigned
  std::int64_t time = 0;                ///< seconds since 1970
};

/// Stores and signs the commit, publishes the session, and moves the branch: the commit is made when this returns.
/// The first parent is the branch's head, or for a new task branch its base. A writer that loses the race for the ref
/// is re-parented and tries again. Error{conflict} if the branch holds the other kind of commit (or is a tag).
/// With `expected` the branch must be at that commit (none: must not exist), else Error{conflict}; the parents are then those
/// that `commit` has, where the branch is new or the first of them is its head.
ObjectId publish_commit(Repository& repository, PackSession& session, Commit commit, const RefName& branch,
                        const Committer& committer, const std::optional<ObjectId>& expected = std::nullopt);

/// As move_ref() with a target, which must be in the repository and not forgotten. A target that nothing leads to yet stays also where a
/// collection has begun to remove it. Error{not_found}.
bool point_ref(Repository& repository, const RefName& ref, RefKind kind, const ObjectId& expected, const ObjectId& target,
               const Committer& committer);

/// Moves (or makes, or with a none id deletes) a ref if its commit is still `expected` (none: it does not exist).
/// False if somebody else moved it. The caller holds a lease of the repository.
bool move_ref(RefLog refs, const ObjectId& repository_id, const RefName& ref, RefKind kind, const ObjectId& expected,
              const ObjectId& target, const Committer& committer);

/// For work that takes long and is committed at its end: while the lease lives no collection removes the commit or what it
/// needs, nor waits for the holder.
Lease keep_commit(Repository& repository, const ObjectId& commit);

}  // namespace dstore
