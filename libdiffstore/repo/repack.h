#pragma once

#include "odb/collect.h"
#include "repo/repository.h"

namespace dstore {

inline constexpr std::uint64_t kLargestPack = 2'000'000'000;

/// Writes packs smaller than half of options.pack_target anew, together, and those that are larger than it; with a profile also
/// every pack with chunks that it stores otherwise. Nothing is dropped but second copies.
CollectReport repack(Repository& repository, CollectOptions options);

}  // namespace dstore
