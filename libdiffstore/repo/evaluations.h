#pragma once

#include <functional>
#include <set>
#include <vector>

#include "object/evaluation.h"
#include "repo/publish.h"

namespace dstore {

/// An evaluation as it stands in a store, with what its signatures are worth to this user.
struct CheckedEvaluation {
  ObjectId id;
  Evaluation evaluation;
  Verification signature;

  /// Whether its numbers may stand beside a commit's own: as with commits, well signed, or unsigned.
  bool counts() const { return signature.verdict == Verdict::good || signature.verdict == Verdict::unsigned_; }
};

Evaluation read_evaluation(const Repository& repository, const ObjectId& id);
/// Reads and judges. Does not throw for a bad signature.
CheckedEvaluation check_evaluation(const Repository& repository, const ObjectId& id);
/// Those that name the commit, newest first. One that is damaged is left out: `dstore fsck` tells.
std::vector<CheckedEvaluation> evaluations_of(const Repository& repository, const ObjectId& commit);
/// By time, then by id.
void sort_newest_first(std::vector<CheckedEvaluation>& evaluations);

/// Stores and signs the evaluation, as made by the committer now: durable on return. Error{not_found}, {untrusted} as
/// Repository::require_commit() for each of its commits.
ObjectId record_evaluation(Repository& repository, Evaluation evaluation, const Committer& committer);

/// Adds to the session, with their signatures, the evaluations of `from` that `to` lacks, whose commits it all has (or this session
/// has added) and none of which is `forgotten`. One that `accept` refuses is left. Returns how many were added. The session is of `to`.
std::size_t copy_evaluations(const Repository& from, const Repository& to, PackSession& session, const std::set<ObjectId>& forgotten,
                             const std::function<bool(const ObjectId&)>& accept = {});

}  // namespace dstore
