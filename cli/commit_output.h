#pragma once

#include <string>

#include "repo/commit_task.h"
#include "session.h"

namespace dstore::cli {

/// What `commit` and `train -m` say of a new task commit; with --json an object {commit, branch, unchanged, full_bytes,
/// stored_bytes, delta_bytes, changed, elements, modified, added, removed, renamed}.
void print_commit(const Session& session, const std::string& branch, const CommitReport& report);

}  // namespace dstore::cli
