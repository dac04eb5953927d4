#pragma once

#include <string>
#include <vector>

#include "delta/difference.h"
#include "dstore/model.h"
#include "repo/write_delta.h"

namespace dstore::cli {

/// How one tensor of two models compares.
struct TensorDiff {
  enum class State { same, renamed, changed, added, removed, dtype, shape };
  State state = State::same;
  std::string name;       ///< in the second model; of the first one for `removed`
  std::string base_name;  ///< in the first model; empty for `added`
  const TensorInfo* before = nullptr;  ///< null for `added`
  const TensorInfo* after = nullptr;   ///< null for `removed`
  DifferenceStats stats;  ///< of comparable tensors; only `units` is set where no byte differs
};

const char* state_name(TensorDiff::State state);

/// The tensors of both, in name order, unchanged ones included. Infos belong to the sources.
struct TensorsDiff {
  std::vector<TensorDiff> tensors;
  DifferenceStats total;  ///< over the comparable ones
  std::string prefix;     ///< as in Alignment
  bool prefix_in_base = false;

  std::size_t count(TensorDiff::State state) const;
};

/// Which tensors of the two belong together (repo/align.h); no value is compared: `same` and `renamed` say nothing of them.
TensorsDiff pair_tensors(const TensorSource& a, const TensorSource& b);

/// Aligned by name (repo/align.h), or by `pairs` where given; compared on all cores piece by piece. Tensors of
/// equal id are not read.
TensorsDiff diff_tensors(const TensorSource& a, const TensorSource& b, const Progress& progress);
TensorsDiff diff_tensors(const TensorSource& a, const TensorSource& b, const std::vector<Pairing>& pairs, const Progress& progress);

struct FileDiff {
  std::string path;
  const char* state;  ///< "changed", "added", "removed"
};
std::vector<FileDiff> diff_files(const Model& a, const Model& b);

}  // namespace dstore::cli
