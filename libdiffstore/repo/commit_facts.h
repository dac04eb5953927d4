#pragma once

#include "repo/commit_size.h"
#include "repo/evaluations.h"
#include "repo/history.h"

namespace dstore {

/// Everything that lists show of a commit.
struct CommitFacts {
  ObjectId id;
  Commit commit;
  Verification signature;
  ObjectId weights;               ///< of the result
  ObjectId base_weights;          ///< what a task's delta applies to; none for a base
  CommitSizes sizes;
  std::optional<double> density;  ///< share of the base's units that a task changes; nullopt for a base
  std::vector<CheckedEvaluation> evaluations;  ///< of its model, newest first; set_evaluations()
  std::vector<Metric> evaluated;               ///< the numbers of those that count, newest first

  bool is_task() const { return commit.is_task(); }
};

/// Read from the store and verified. The sizer is of that repository. Of a forgotten commit no weights and sizes.
CommitFacts read_facts(const Repository& repository, CommitSizer& sizer, const ObjectId& id);
CommitFacts read_facts(const Repository& repository, CommitSizer& sizer, CheckedCommit checked);

void set_evaluations(CommitFacts& facts, std::vector<CheckedEvaluation> evaluations);
/// The same with what the store has.
void read_evaluations(const Repository& repository, CommitFacts& facts);

/// As a row of the catalog (spec/catalog.md, "Commits"), without evaluations, and back. decode: Error{corrupt} for what encode does not write.
Bytes encode_facts(const CommitFacts& facts);
CommitFacts decode_facts(const ObjectId& id, ByteSpan bytes);
/// Only the place in history.
CommitLink decode_link(ByteSpan bytes);

/// A verdict with what is known of the signature; whether there is a key is kept elsewhere.
void put_verification(Writer& out, const Verification& signature);
Verification get_verification(Reader& in, bool has_key);

// Of a commit's own numbers and those of its evaluations its own come first; where the same was measured on the same data again,
// the newest evaluation stands in its place.

/// The metric that stands for a commit: the first one of split test, else of dev, else the first; null if there is none.
const Metric* headline_metric(const CommitFacts& facts);
/// The last value of that metric on `split` ("": on test, else on dev, else on any); nullopt if that is no number.
std::optional<double> metric_value(const CommitFacts& facts, std::string_view name, std::string_view split = {});
/// Its own numbers, then those of its evaluations, the newest last.
std::vector<Metric> all_metrics(const CommitFacts& facts);
/// "diff-pruning"; "base" for a base, "folder" for a task that was committed from a folder.
std::string method_of(const Commit& commit);

}  // namespace dstore
