#pragma once

#include "repo/commit_computed.h"
#include "repo/merge_sources.h"
#include "repo/three_way_files.h"

namespace dstore {

struct ThreeWayOptions {
  Resolution resolution;              ///< of what both sides changed differently
  std::optional<Side> files;          ///< whose side file is taken where both changed it (default: that of the resolution; of a rebase the task's)
  bool common_rows = false;           ///< as plan_three_way()
  bool dry_run = false;
  std::string message;
  std::map<std::string, std::string> facts{};  ///< for the commit, beside `ancestor` and `conflicts` (how many there were)
};

struct ThreeWayOutcome {
  enum class Kind {
    up_to_date,    ///< nothing to do
    fast_forward,  ///< the branch moved (or would) to `theirs`
    conflicts,     ///< unresolved: nothing was written
    merged,        ///< committed (or could be)
  } kind = Kind::up_to_date;
  ObjectId commit;                    ///< none where nothing was written
  ObjectId ours, theirs;              ///< none for what is computed and was not written
  std::optional<SumSource::Overlap> overlap{};  ///< of a computed sum
  ObjectId ancestor;                  ///< of a rebase: the old base
  std::size_t ancestors = 1;          ///< equally good ones; the newest was taken
  ConflictReport report;
  std::vector<FileConflict> files;
  bool files_resolved = true;
  std::string tokenizers;             ///< of both sides, where rows differ
  ObjectId base;                      ///< of the result
  WrittenDelta delta;
  std::uint64_t full_bytes = 0, stored_bytes = 0;
};

// What is computed takes part as the commit that commit_computed() would make of it: it is written with the result, and nothing else leads to it.

/// Merges a task into the task branch `branch`, from where their histories part: a commit with two parents, or a fast-forward.
/// Error{invalid_argument}: a base among them. {conflict}: no history in common, the branch moved meanwhile.
ThreeWayOutcome merge_into(Repository& repository, const MergeSource& theirs, const RefName& branch, const ThreeWayOptions& options, const Committer& committer,
                           const Progress& progress);

/// Takes a task to another base: a commit with the task as its parent, on `branch`, which is at the task or does not exist.
/// Error{invalid_argument}: no task, or no base. {conflict}: the branch is elsewhere.
ThreeWayOutcome rebase(Repository& repository, const MergeSource& task, const MergeSource& new_base, const RefName& branch, const ThreeWayOptions& options,
                       const Committer& committer, const Progress& progress);

/// A model taken to another base: for rebase() and for rebase(...) in a revision. Of `task`, which is a difference as `from` says, the weights are taken.
struct Rebased {
  ModelFiles files;
  Lineage lineage;
  ConflictReport report;
  std::vector<FileConflict> file_conflicts;
  std::string tokenizers;  ///< as ThreeWayOutcome
};
Rebased rebase_model(const Repository& repository, ModelFiles& task, const Lineage& from, const ObjectId& new_base, const ThreeWayOptions& options, const Progress& progress);

}  // namespace dstore
