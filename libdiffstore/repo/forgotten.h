#pragma once

#include <optional>
#include <set>

#include "repo/repository.h"

namespace dstore {

/// The record by which a commit counts as forgotten here: one of the repository's own refs/ (well signed, or unsigned), or
/// one of a remote's mirror that is well signed by a trusted key. nullopt if there is none.
std::optional<RefEntry> forgotten_record(const Repository& repository, const ObjectId& commit);

/// Every commit that counts as forgotten here.
std::set<ObjectId> forgotten_commits(const Repository& repository);

/// Those of another repository's records that a key trusted here has signed well.
std::set<ObjectId> forgotten_there(const Repository& repository, const RefLog& refs);

/// "forgotten on 2026-11-23 by Ada <…>", for messages.
std::string describe_forgotten(const Repository& repository, const RefEntry& record);

}  // namespace dstore
