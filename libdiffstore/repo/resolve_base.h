#pragma once

#include "repo/revision.h"

namespace dstore {

/// resolve_commit() where a base is wanted: a checkpoint that was imported. What is computed becomes a task and no base; the error says what to do.
ObjectId resolve_base(const Repository& repository, std::string_view text);

}  // namespace dstore
