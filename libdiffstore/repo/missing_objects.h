#pragma once

#include <string>
#include <vector>

#include "repo/repository.h"

namespace dstore {

/// What these commits and all that they build on need and the store does not have: one line a commit and kind of gap.
/// What a forgotten commit needed is not missed. Looks at tables, not at chunks' bytes (ObjectStore::verify_all() does); damaged tables are reported too.
std::vector<std::string> missing_objects(const Repository& repository, const std::vector<ObjectId>& commits);

}  // namespace dstore
