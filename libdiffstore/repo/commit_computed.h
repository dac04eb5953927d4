#pragma once

#include "repo/open_revision.h"
#include "repo/publish.h"

namespace dstore {

/// A computed model as a task in a session.
struct ComputedTask {
  WrittenDelta delta;
  ObjectId checkpoint;
  std::uint64_t full_bytes = 0;  ///< of a folder with it
};
/// The task that `result` makes of `base`, in the shards and side files of `files`, which are stored where they are not: the session may be of
/// another store than the repository's. `pairs` and `changes` as
/// of write_delta(). What is made of the base is computed once.
ComputedTask write_computed(const Repository& repository, PackSession& session, const StoredWeights& base, const TensorSource& result,
                            const std::vector<Pairing>& pairs, const ModelFiles& files, const Progress& progress, const ChangeSource* changes = nullptr);

/// The record of the commit that commit_computed() makes, but for its delta and checkpoint, its author and time; the message is the revision. Its
/// parents and `derived_from` are the tasks among `commits`, which it is computed from.
Commit computed_record(const Revision& revision, const std::vector<CheckedCommit>& commits, const ObjectId& base);

struct ComputedReport {
  ObjectId commit;
  ObjectId base;
  WrittenDelta delta;
  std::uint64_t full_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::optional<SumSource::Overlap> overlap;  ///< of a sum
};

/// What a revision computes, as a task on the new branch `branch`.
/// Error{conflict}: the branch exists. {invalid_argument}: the revision is not computed.
ComputedReport commit_computed(Repository& repository, const Revision& revision, const std::string& message, const RefName& branch, const Committer& committer,
                               const Progress& progress);

}  // namespace dstore
