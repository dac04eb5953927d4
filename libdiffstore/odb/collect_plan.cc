#include "odb/collect_plan.h"

#include <algorithm>
#include <unordered_set>

namespace dstore {
namespace {

/// Whoever finds an object believes that all it names is there, so a dead one that names others must go.
bool must_go(const PackContent& pack, const Liveness& liveness) {
  return std::any_of(pack.entries.begin(), pack.entries.end(),
                     [&](const PackEntry& entry) { return !is_leaf(entry.kind) && liveness.is_dead(entry); });
}

}  // namespace

bool is_leaf(ObjectKind kind) { return kind == ObjectKind::chunk || kind == ObjectKind::segment; }

std::set<ObjectId> choose_victims(const std::vector<PackContent>& packs, const Liveness& liveness, const CollectOptions& options,
                                  const std::optional<std::set<ObjectId>>& among) {
  std::vector<const PackContent*> open;  // undecided
  std::unordered_set<ObjectId> kept;     // objects alive in packs that stay
  std::set<ObjectId> victims;
  const auto keep = [&](const PackContent& pack) {
    for (const PackEntry& entry : pack.entries) {
      if (!liveness.is_dead(entry)) kept.insert(entry.id);
    }
  };
  for (const PackContent& pack : packs) {
    if (!pack.whole || (among && !among->contains(pack.name))) {
      keep(pack);
    } else if (must_go(pack, liveness) || (options.rewrite && options.rewrite(pack.entries, pack.bytes))) {
      victims.insert(pack.name);
    } else {
      open.push_back(&pack);
    }
  }
  // Of two copies the one in the larger pack stays.
  std::stable_sort(open.begin(), open.end(), [](const PackContent* a, const PackContent* b) { return a->bytes > b->bytes; });
  for (const PackContent* pack : open) {
    std::uint64_t waste = 0;
    for (const PackEntry& entry : pack->entries) {
      if (liveness.is_dead(entry) || kept.contains(entry.id)) waste += layout::kRecordHeaderSize + entry.stored_size + layout::kTrailerEntrySize;
    }
    if (static_cast<double>(waste) > options.leaf_share * static_cast<double>(pack->bytes)) {
      victims.insert(pack->name);
    } else {
      keep(*pack);
    }
  }
  return victims;
}

}  // namespace dstore
