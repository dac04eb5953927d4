#pragma once

#include <unordered_map>

#include "repo/catalog_file.h"
#include "repo/evaluations.h"

namespace dstore {

/// Every evaluation of a store, verified, by the commit whose model it measured. From one row of catalog.db where the packs are
/// those of then (spec/catalog.md), else from the store. Reading is thread-safe.
class EvaluationTable {
 public:
  /// `file`: null for none. `trust`: the digest of the user's.
  EvaluationTable(const Repository& repository, CatalogFile* file, const ObjectId& trust);
  /// Newest first.
  const std::vector<CheckedEvaluation>& all() const { return all_; }
  std::vector<CheckedEvaluation> of(const ObjectId& commit) const;

 private:
  std::vector<CheckedEvaluation> all_;
  std::unordered_multimap<ObjectId, std::size_t> places_;  ///< into all_, by its commit
};

}  // namespace dstore
