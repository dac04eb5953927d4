#pragma once

#include "repo/compose.h"
#include "repo/revision.h"
#include "repo/sum_source.h"
#include "repo/write_delta.h"

namespace dstore {

/// What a computed model is a difference from.
struct Lineage {
  ObjectId base;          ///< the commit
  ObjectId base_weights;
  std::vector<Pairing> pairs;  ///< of the model's tensors, with those of the base
};

/// A revision as a model, and every commit that it was made from (signatures judged). The repository must outlive it.
struct OpenRevision : LoadedRevision {
  std::optional<Lineage> lineage;     ///< set where it is computed: files.computed
  const ChangeSource* changes = nullptr;  ///< what it makes of the base, where that is known: for write_delta()
  const SumSource* sum = nullptr;     ///< where it is a sum of several tasks: for overlap(), once its tensors were read
};

/// Any revision: commits, base+task, sums, merge(...), rebase(...) (spec/revisions.md, "Meaning"). Methods that look at the whole
/// model first do so here. Error{conflict}: other bases, tensors that do not fit, conflicts of a rebase;
/// {invalid_argument}: a base where a task is wanted or the reverse, an unknown method or parameter.
OpenRevision open_revision(const Repository& repository, const Revision& revision, const Progress& progress = {});

}  // namespace dstore
