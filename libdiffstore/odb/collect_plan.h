#pragma once

#include <optional>
#include <set>
#include <vector>

#include "odb/collect.h"

namespace dstore {

struct PackContent {
  ObjectId name;
  std::uint64_t bytes = 0;         ///< of the file
  std::vector<PackEntry> entries;
  bool whole = true;  ///< false: the trailer is damaged, `entries` are what a scan finds, and the pack is left alone
};

/// Whether objects of this kind name no others. A dead one may stay: nobody concludes anything from finding it.
bool is_leaf(ObjectKind kind);

/// The packs to delete after what is alive of them was copied; of those `among` if given.
std::set<ObjectId> choose_victims(const std::vector<PackContent>& packs, const Liveness& liveness, const CollectOptions& options,
                                  const std::optional<std::set<ObjectId>>& among);

}  // namespace dstore
