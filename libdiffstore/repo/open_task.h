#pragma once

#include "repo/open_revision.h"
#include "repo/scratch_store.h"

namespace dstore {

/// A revision as a task: the difference from a base that its commit has or, where it is computed, that a commit of it would have.
/// The repository must outlive it.
struct OpenTask {
  std::unique_ptr<ScratchStore> scratch;  ///< of a computed one: has the difference; first, because `files` read from it
  LoadedRevision loaded;                  ///< files.weights is set, whatever the revision
  ObjectId base;                          ///< the base's commit
  DeltaTable delta;
  std::optional<SumSource::Overlap> overlap{};  ///< of a sum
  std::uint64_t delta_bytes = 0;          ///< of a computed one: what a commit stores of it, without its files and its record

  StoredWeights& weights() { return *loaded.files.weights; }
  const StoredWeights& weights() const { return *loaded.files.weights; }
};

/// Where the revision is computed, reads what it changes and encodes it. Error{invalid_argument} for a base; else as open_revision().
OpenTask open_task(const Repository& repository, const Revision& revision, const Progress& progress = {});

}  // namespace dstore
