#pragma once

#include "repo/repository.h"

namespace dstore {

/// The common ancestors of two commits that are ancestors of no other common one, newest first: one, where history does not criss-cross;
/// none where they have no history in common. A commit is its own ancestor. The second is `b`, or one to be made whose parents are several.
std::vector<ObjectId> common_ancestors(const Repository& repository, const ObjectId& a, const std::vector<ObjectId>& b);

}  // namespace dstore
