#pragma once

#include <string>

#include "repo/commit_size.h"
#include "repo/sparsify.h"
#include "session.h"

namespace dstore::cli {

/// What `sparsify` says beside its report.
struct SparsifyOutcome {
  std::string branch;
  std::uint64_t stored_before = 0;  ///< as CommitSizes::stored() of the source
  std::uint64_t stored_after = 0;
};

/// With --json an object {commit, branch, unchanged, source, base, density, scope, by, elements, places, changed, kept, unscored,
/// threshold, energy_lost, tensors[{name, elements, changed, kept, unscored, threshold, energy_lost}], whole[{name, reason}], full_bytes,
/// source_stored_bytes, stored_bytes}. `threshold` is the least score of a kept entry;
/// it and `energy_lost` are null where that is no finite number.
void print_sparsify(const Session& session, const SparsifyOptions& options, const SparsifyReport& report, const SparsifyOutcome& outcome);

}  // namespace dstore::cli
