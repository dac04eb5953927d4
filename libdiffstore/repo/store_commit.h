#pragma once

#include "repo/copy_commits.h"
#include "repo/publish.h"

namespace dstore {

/// Copies what the commit names from `repository`, as of copy_commits(), and adds it to the session as the committer's, signed.
ObjectId store_commit(const Repository& repository, PackSession& session, CommitKeeper& keeper, const std::set<ObjectId>& forgotten, Commit commit,
                      const Committer& committer);

}  // namespace dstore
