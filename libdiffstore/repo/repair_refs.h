#pragma once

#include "repo/repair.h"

namespace dstore {

/// Damaged and missing entries of these refs, from a log elsewhere that holds the same history: of the same repository, with the
/// same entries where ours can be read, and proved by the entry that follows or by a good signature. Damaged files get a second
/// name in quarantine/ before. Adds to `report`.
void repair_refs(Repository& repository, const std::vector<DamagedRef>& damaged, const std::vector<RefLog>& sources, RepairReport& report);

}  // namespace dstore
