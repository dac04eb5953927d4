#pragma once

#include "repo/commit_computed.h"
#include "repo/merge_sources.h"
#include "repo/store_commit.h"

namespace dstore {

/// A model that a commit is made from: a commit's, or what is computed, which becomes a commit that no ref names where the result is written.
struct ModelVersion {
  std::unique_ptr<ScratchStore> scratch;        ///< as of OpenTask; null for a commit
  CheckedCommit commit;                         ///< of what is computed: the record alone, until store_version()
  ModelFiles files;
  std::optional<DeltaTable> delta;              ///< of a task
  std::optional<SumSource::Overlap> overlap{};  ///< of a computed sum
};

ModelVersion load_version(const Repository& repository, const ObjectId& commit);
/// Errors as of open_task(), for what is computed.
ModelVersion open_version(const Repository& repository, const MergeSource& source, const Progress& progress);

/// Its commit; where it is computed, what commit_computed() would make of it is written to the session, which may be another store's, with what the
/// commit names (copy_commits() from `repository`).
ObjectId store_version(const Repository& repository, PackSession& session, CommitKeeper& keeper, const std::set<ObjectId>& forgotten, ModelVersion& version,
                       const Committer& committer, const Progress& progress);

/// The commit in the history of `head` that was made of the same expression, if there is one: it has the same model.
std::optional<ObjectId> find_made(const Repository& repository, const ObjectId& head, const ModelVersion& computed);

}  // namespace dstore
