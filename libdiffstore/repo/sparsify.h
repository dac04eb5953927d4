#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "repo/merge_sources.h"
#include "repo/publish.h"
#include "repo/select_entries.h"
#include "repo/write_delta.h"

namespace dstore {

/// Which entries compete with each other for a place.
enum class SparsifyScope {
  global,  ///< all: floor(density * N), N the elements of all tensors of the base that are floats of 16, 32 or 64 bits
  tensor,  ///< those of one tensor: floor(density * n) of each
};
std::string_view scope_name(SparsifyScope scope);
/// Error{invalid_argument} that lists the names.
SparsifyScope parse_scope(std::string_view name);

struct SparsifyOptions {
  double density = 0;  ///< in (0, 1]
  SparsifyScope scope = SparsifyScope::global;
  const Score* score = nullptr;
  Importance importance;                     ///< if the score needs it
  std::map<std::string, std::string> facts;  ///< more training facts, such as the importance's digest
  std::string message;
};

struct SparsifyReport {
  struct Tensor {
    std::string name;
    std::uint64_t units = 0;
    KeptShare share;
  };
  ObjectId commit;
  ObjectId source;
  bool unchanged = false;  ///< nothing is dropped and the branch's head is the source: nothing was written
  ObjectId base;
  std::uint64_t elements = 0;  ///< N
  std::uint64_t places = 0;    ///< k; the sum of the tensors' for SparsifyScope::tensor
  std::vector<Tensor> tensors; ///< changed tensors of which single entries were kept, sorted by name
  KeptShare all;               ///< of them
  std::vector<ChangeRanks::Whole> whole;
  WrittenDelta delta;
  std::uint64_t full_bytes = 0;    ///< what a full copy takes
  std::uint64_t stored_bytes = 0;  ///< new in the store
};

/// Keeps of a task's change exactly the entries that rank highest (delta/score.h) and commits them to `branch`, which must be at
/// the source or not exist. What is computed is committed with the result, which alone leads to it. Base, files and layout are the source's, tensors that are not the base's entry by entry (heads, integer
/// buffers) too. A result that is the source itself is committed only to a new branch.
/// Error{invalid_argument}: the source is a base. {conflict}: the branch is elsewhere.
SparsifyReport sparsify(Repository& repository, const MergeSource& source, const SparsifyOptions& options, const RefName& branch,
                        const Committer& committer, const Progress& progress);

}  // namespace dstore
