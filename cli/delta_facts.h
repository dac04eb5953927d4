#pragma once

#include <map>
#include <string>

#include "repo/commit_size.h"

namespace dstore::cli {

/// What a task's delta does to its base, counted.
struct DeltaFacts {
  std::uint64_t modified = 0, added = 0, removed = 0, renamed = 0;  ///< tensors; a modified one may be reshaped or have a new name too
  std::uint64_t changed = 0;     ///< units that differ, counted in the segments
  std::uint64_t base_units = 0;  ///< units in the base
  std::map<std::string, std::uint64_t> reshaped;  ///< "rows 30522 → 30530", "F32 → BF16", "rank 8": how many tensors
  std::string prefix;            ///< what all renamed tensors have more than before ("bert."), if it is the same for all
};

DeltaFacts delta_facts(const Repository& repository, CommitSizer& sizer, const ObjectId& id, const Commit& task);

}  // namespace dstore::cli
