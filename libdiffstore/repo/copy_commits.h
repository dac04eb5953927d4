#pragma once

#include <set>
#include <vector>

#include "repo/repository.h"
#include "repo/write_delta.h"

namespace dstore {

/// Adds to the session everything that `commits` need and its store lacks (PackSession::has): children before the objects that
/// name them, so that an object that is there has all it needs. Objects are proved on arrival. Of `forgotten` commits only
/// themselves and their history travel. With the session's own repository as `from`, what lies in condemned packs alone is
/// brought to life again.
void copy_commits(const Repository& from, PackSession& session, const std::vector<ObjectId>& commits, const std::set<ObjectId>& forgotten,
                  const Progress& progress);

}  // namespace dstore
