#pragma once

#include <map>
#include <unordered_set>

#include "repo/forgotten.h"
#include "repo/repository.h"

namespace dstore {

/// What a commit takes in its store, in stored (compressed) bytes without framing. Of a task: only what its base's
/// commit does not have already. Of a base: everything.
struct CommitSizes {
  std::uint64_t delta = 0;       ///< the delta's table and its segments
  std::uint64_t added = 0;       ///< tensors stored whole
  std::uint64_t files = 0;       ///< side files and shard headers
  std::uint64_t records = 0;     ///< commit, signatures, checkpoint and weights tables
  std::uint64_t checkpoint = 0;  ///< no store: what a full copy of the files takes
  std::uint64_t stored() const { return delta + added + files + records; }
};

/// Answers for many commits of one repository, reading each base once. Not thread-safe. The repository must outlive it.
class CommitSizer {
 public:
  explicit CommitSizer(const Repository& repository) : repository_(repository), forgotten_(forgotten_commits(repository)) {}
  /// Its content is gone, and counts as nothing.
  bool is_forgotten(const ObjectId& commit) const { return forgotten_.contains(commit); }
  CommitSizes sizes(const ObjectId& id, const Commit& commit);
  /// Units (delta/element.h) in all tensors of a base or, for a task, of its base.
  std::uint64_t base_units(const ObjectId& id, const Commit& commit);

 private:
  struct Base {
    std::unordered_set<ObjectId> objects;
    CommitSizes sizes;
    std::uint64_t units = 0;
  };
  const Base& base(const ObjectId& id);

  const Repository& repository_;
  const std::set<ObjectId> forgotten_;
  std::map<ObjectId, Base> bases_;
};

/// How many units of the base a task changes, as its segments say (reads them all).
std::uint64_t count_changed_units(const Repository& repository, const Commit& task);

/// Share of the base's units that a task changes: the density that its training recorded, or the number changed
/// that it recorded, or counted in the segments. Nullopt for a base.
std::optional<double> task_density(const Repository& repository, CommitSizer& sizer, const ObjectId& id, const Commit& commit);

}  // namespace dstore
