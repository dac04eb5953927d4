#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "odb/lease.h"
#include "odb/object_store.h"

namespace dstore {

/// What of a store may go. Asked twice by a collection, with writers at work in between, so it only ever grows.
class Liveness {
 public:
  virtual ~Liveness() = default;
  /// Looks at the refs anew; `kept` are commits that writers rely on. What was alive before stays alive.
  virtual void mark(const std::vector<ObjectId>& kept) = 0;
  virtual bool is_dead(const PackEntry& entry) const = 0;
  /// The object stays in any case, so what it names stays too.
  virtual void keep(const PackEntry& entry) = 0;
};

struct CollectOptions {
  bool dry_run = false;
  unsigned wait_seconds = 10;  ///< for writers that began before
  /// While writers are at work, only what an earlier collection had to leave: they know of it and need not be waited for. Else, and
  /// where nothing was left, everything.
  bool earlier_first = true;
  /// Dead chunks and segments may stay in a pack while they are at most this share of it.
  double leaf_share = 0.1;
  /// Packs to rewrite although nothing of them is dead; null: none.
  std::function<bool(const std::vector<PackEntry>& entries, std::uint64_t bytes)> rewrite;
  std::uint64_t pack_target = layout::kPackTarget;
  /// Store rewritten chunks anew; with `layout` (of a chunk of a tensor) for Profile::compact. nullopt: as they are.
  std::optional<Profile> profile;
  std::function<std::optional<ChunkLayout>(const ObjectId& chunk)> layout;
  std::function<void(const std::string&)> notice;                           ///< one line for a person
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;  ///< bytes copied
};

struct CollectReport {
  struct Amount {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;  ///< as stored
  };
  std::map<ObjectKind, Amount> removed;  ///< objects that are (with dry_run: would be) in no pack any more
  std::uint64_t leftovers = 0;           ///< temporary files of dead processes
  std::uint64_t links_removed = 0;       ///< files outside that nothing uses any more; they themselves stay
  std::uint64_t bytes_before = 0;        ///< of all packs
  std::uint64_t bytes_after = 0;         ///< with dry_run: estimated
  std::vector<ObjectId> packs_deleted;   ///< with dry_run: those that would be
  std::vector<ObjectId> packs_written;
  std::vector<LeaseInfo> waiting;        ///< not empty: nothing was deleted because these writers began before
  std::vector<std::string> left_alone;   ///< packs that hold damage, with the reason
};

// ObjectStore::collect(): one collection at a time (DIR/gc.lock, else Error{conflict}); Error{unsupported} where the file
// system's locks do nothing. Safe beside readers and writers, and against being killed anywhere: what was begun is left in
// DIR/condemned and finished by the next collection (spec/repository.md, "Collection").

}  // namespace dstore
