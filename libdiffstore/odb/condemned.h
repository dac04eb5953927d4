#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "dstore/id.h"

namespace dstore {

/// The packs that a collection is about to delete (spec/repository.md, "Collection"). The generation only grows.
struct Condemned {
  std::uint64_t generation = 0;
  std::vector<ObjectId> packs;  ///< sorted
  bool deleting = false;        ///< what leases keep is not asked for any more

  std::string serialize() const;
  /// Error{corrupt} naming `what`.
  static Condemned parse(std::string_view text, std::string_view what);

  friend bool operator==(const Condemned&, const Condemned&) = default;
};

/// DIR/condemned; generation 0 and no pack where there is none.
Condemned read_condemned(Filesystem& fs, const std::string& dir);
/// Durable on return.
void write_condemned(Filesystem& fs, const std::string& dir, const Condemned& condemned);

}  // namespace dstore
