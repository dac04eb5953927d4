#pragma once

#include <functional>
#include <unordered_map>

#include "repo/catalog_bundle.h"
#include "repo/commit_facts.h"
#include "repo/commit_tensors.h"
#include "repo/evaluation_table.h"
#include "repo/write_delta.h"

namespace dstore {

/// Facts about commits, from catalog.db where a row of this user fits the present trust, else from the store, verified,
/// and then kept for the next command. One thread. The repository must outlive it.
class Catalog {
 public:
  /// `progress(done, 0)` counts commits that are read from the store.
  explicit Catalog(const Repository& repository, Progress progress = {});
  /// save().
  ~Catalog();
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  /// Errors as Repository::check_commit().
  CommitFacts facts(const ObjectId& id);
  /// The same, kept: valid as long as the catalog.
  const CommitFacts& commit(const ObjectId& id);
  std::vector<const CommitFacts*> commits(const std::vector<ObjectId>& ids);
  /// body(i, facts of ids[i]), not kept: from several threads, in any order.
  void each(const std::vector<ObjectId>& ids, const std::function<void(std::size_t, const CommitFacts&)>& body);
  /// Every commit reachable through parents from `heads`: as dstore::history().
  std::vector<ObjectId> history(const std::vector<ObjectId>& heads);
  const CommitTensors& tensors(const ObjectId& id);
  const EvaluationTable& evaluations();
  void save();

 private:
  /// The row of a commit; one that is missing is made from the store.
  ByteSpan commit_row(const ObjectId& id);
  void load_commits();
  void load_tensors();
  /// Rows that the store may have overtaken are dropped: see spec/catalog.md, "When a row is used". False if there were none.
  bool drop_stale();
  /// Rows with keys of their own become bundles.
  void bundle_commits();
  /// After each row that was read from the store.
  void count_read();

  const Repository& repository_;
  CatalogFile* file_;  ///< null: everything from the store
  const ObjectId trust_;
  Progress progress_;
  CommitSizer sizer_;
  TensorReader tensor_reader_;
  CatalogFile::Rows stored_;                           ///< what the rows below view
  BundledRows bundled_;                                ///< the same
  std::vector<Bytes> made_;                            ///< the same, of commits read from the store
  std::unordered_map<ObjectId, ByteSpan> commit_rows_;
  std::unordered_map<ObjectId, CommitFacts> commits_;  ///< decoded
  std::unordered_map<ObjectId, CommitTensors> tensors_;
  std::optional<EvaluationTable> evaluations_;         ///< read when first asked for
  bool commits_loaded_ = false;
  bool tensors_loaded_ = false;
  std::uint64_t read_ = 0;  ///< from the store
};

/// The branch that a task commit belongs to: the first of `branches` (name, head) on whose first parents it lies.
std::map<ObjectId, std::string> task_branches(Catalog& catalog, const std::vector<std::pair<std::string, ObjectId>>& branches);

}  // namespace dstore
