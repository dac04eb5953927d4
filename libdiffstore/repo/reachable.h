#pragma once

#include <optional>
#include <vector>

#include "odb/collect.h"
#include "repo/closure.h"

namespace dstore {

/// How much of the refs' history counts besides their heads.
struct KeepHistory {
  std::uint64_t last = 1;  ///< the commits of the last so many entries of each ref, deleted ones included; 1: heads alone
};

/// The commits that garbage collection starts from: heads of branches, tags and remotes' mirrors, bases of staged work, and
/// what `keep` adds. Error where a ref is damaged, or a branch or tag names a commit that is not here.
std::vector<ObjectId> collection_roots(const Repository& repository, const KeepHistory& keep);

/// What no root leads to is dead.
class Reachable : public Liveness {
 public:
  Reachable(const Repository& repository, KeepHistory keep);
  void mark(const std::vector<ObjectId>& kept) override;
  bool is_dead(const PackEntry& entry) const override;
  void keep(const PackEntry& entry) override;

 private:
  const Repository& repository_;
  KeepHistory keep_;
  Closure closure_;
};

/// Nothing is dead: packs are only written anew.
class EverythingLives : public Liveness {
 public:
  void mark(const std::vector<ObjectId>&) override {}
  bool is_dead(const PackEntry&) const override { return false; }
  void keep(const PackEntry&) override {}
};

}  // namespace dstore
