#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "merge/merge_method.h"
#include "repo/merge_sources.h"
#include "repo/publish.h"
#include "repo/write_delta.h"

namespace dstore {

struct MergeOptions {
  const MergeMethod* method = nullptr;
  const MergeSettings* settings = nullptr;  ///< for as many models as there are sources
  MergeHeads heads = MergeHeads::single;
  std::size_t heads_of = 0;  ///< for MergeHeads::of_model: which source
  MergeRows rows = MergeRows::refuse;
  std::string message;
  std::optional<DType> calculated_in;                ///< as of MergedSource
  std::map<std::string, std::string> more_facts;     ///< for the commit
};

struct MergeReport {
  ObjectId commit;
  ObjectId base;
  MergeCounts counts;
  std::string files_of;  ///< the source whose files the result has, or "" for the base
  WrittenDelta delta;
  std::uint64_t full_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::vector<std::string> notes;  ///< for the user
};

/// Merges tasks of one base (or the base itself, as a model without a difference) into a new task on the new branch `branch`. Its
/// parents and `derived_from` are the sources, its base is the first task's.
/// Error{conflict}: the branch exists, other bases, tensors that cannot be merged. {invalid_argument}: no task among the sources, statistics of
/// another model.
MergeReport merge(Repository& repository, const std::vector<MergeSource>& sources, const MergeOptions& options, const RefName& branch,
                  const Committer& committer, const Progress& progress);

}  // namespace dstore
