#pragma once

#include "command.h"
#include "repo/revision.h"

namespace dstore::cli {

// The forms of `dstore merge` beside that of a list of tasks.

/// dstore merge THEIRS --into BRANCH
int run_merge_into(const Arguments& arguments, Session& session);

/// dstore merge EXPRESSION --name TASK: what a revision computes, as a commit. With --json {commit, branch, base, expression, changed, elements, shared,
/// full_bytes, stored_bytes}; `shared` is null where it is no sum.
int run_merge_computed(const Arguments& arguments, Session& session, Repository& repository, const Revision& revision);

}  // namespace dstore::cli
