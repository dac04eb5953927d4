#pragma once

#include <cstdint>
#include <string>

#include "repo/repository.h"

namespace dstore {

/// Two models, entry by entry and bit by bit.
struct EntryDifferences {
  std::uint64_t entries = 0;
  std::uint64_t different = 0;  ///< whole tensors where only one model has it, or in another dtype or shape
  std::uint64_t tensors = 0;    ///< with a difference
};

/// What a training that started from commit `base` left in `folder` (spec/repository.md, "Stages"), against the model of `commit`.
EntryDifferences compare_stage(const Repository& repository, const std::string& folder, const std::string& base_prefix, const ObjectId& base,
                               const ObjectId& commit);

}  // namespace dstore
