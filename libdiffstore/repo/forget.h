#pragma once

#include <string>
#include <vector>

#include "odb/collect.h"
#include "repo/publish.h"

namespace dstore {

struct ForgetReport {
  std::vector<RefEntry> records;          ///< one a commit, signed; also where it was there before
  std::vector<std::string> deleted_refs;  ///< with force
  std::vector<ObjectId> kept_records;     ///< forgotten commits whose own record stays, because history leads through them
  std::uint64_t shared = 0;               ///< objects of theirs that other commits use, and that stay
  std::uint64_t exclusive = 0;            ///< objects of theirs that nothing else uses
  std::uint64_t still_there = 0;          ///< of those; not 0 only where the collection had to wait or met damage
  CollectReport collection;
};

/// A takedown: records each commit as forgotten, signed (spec/refs.md, "Forgotten commits"), and removes every object that
/// only these commits use. Branches and tags that are at one of them, and those at a task based on one, are deleted with
/// `force`; without, Error{conflict} lists them and nothing changes. Error{corrupt} where it cannot be told what other
/// commits use.
ForgetReport forget(Repository& repository, const std::vector<ObjectId>& commits, bool force, const Committer& committer, const CollectOptions& options);

}  // namespace dstore
