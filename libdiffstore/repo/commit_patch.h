#pragma once

#include "repo/commit_task.h"
#include "repo/sparse_patch.h"

namespace dstore {

/// A sparse patch as a task of a base, in the files of the base. Errors as for SparsePatch::edits(); {invalid_argument} if the base is a task.
CommitReport commit_patch(Repository& repository, const SparsePatch& patch, const ObjectId& base, const std::string& message, Profile profile,
                          const RefName& branch, const Committer& committer, const Progress& progress);

}  // namespace dstore
