#pragma once

#include <optional>
#include <set>
#include <vector>

#include "base/room.h"
#include "repo/repository.h"
#include "repo/write_delta.h"

namespace dstore {

/// Keeps commits that lie in condemned packs alone from being collected, so that they need not be written again. While it
/// lives, that is until a ref leads to them.
class CommitKeeper {
 public:
  explicit CommitKeeper(const Repository& repository) : repository_(repository) {}
  /// True: the commit is there with all it needs, and stays. False: it is not, or a collection is deleting right now.
  bool keep(const ObjectId& commit);
  const Repository& repository() const { return repository_; }

 private:
  const Repository& repository_;
  std::optional<Lease> lease_;
  std::vector<ObjectId> commits_;
};

/// Adds to the session everything that `commits` need and its store lacks (PackSession::has), children before the objects that
/// name them, so that an object that is there has all it needs. What is looked for and found in another store than `from` is read
/// once: a damaged copy counts as none. What a whole object names is not looked for. Of `forgotten` commits only themselves and their
/// history travel; a store without base gets no chunks of bases. Objects are proved on arrival; before the first is written, all must
/// fit. With the session's own repository as `from`, a commit that lies in condemned packs alone is kept, or else brought to life
/// again, with its evaluations; into another one they travel by copy_evaluations(). `keeper` is of the session's repository.
void copy_commits(const Repository& from, PackSession& session, CommitKeeper& keeper, const std::vector<ObjectId>& commits, const std::set<ObjectId>& forgotten,
                  const Progress& progress, const Notice& notice = {});

}  // namespace dstore
