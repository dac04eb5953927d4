#pragma once

#include "repo/commit_task.h"
#include "repo/edited_source.h"
#include "repo/model_files.h"

namespace dstore {

/// A base that a commit is made upon without a folder of the result.
struct EditedBase {
  ObjectId id;
  ModelFiles files;
};

/// Error{invalid_argument} for a task: what is applied to a base must be given the base. `what` is "an adapter".
EditedBase load_edited_base(const Repository& repository, const ObjectId& commit, std::string_view what);

/// What a commit of edits says besides them.
struct EditedTask {
  std::string message;
  std::map<std::string, std::string> training;
  std::map<std::string, PlainFile> files;  ///< stored ones, in place of the base's
  std::optional<ObjectId> adapter;
};

/// Stores the difference and publishes it. report.unchanged where the branch's head is this very result.
CommitReport commit_edits(Repository& repository, PackSession& session, const EditedBase& base, const EditedSource& result, const EditedTask& task,
                          const RefName& branch, const Committer& committer, const Progress& progress);

}  // namespace dstore
