#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/room.h"
#include "repo/fsck.h"

namespace dstore {

/// Where a repair gets objects from. What it gives is proved before it is stored.
class RepairSource {
 public:
  virtual ~RepairSource() = default;
  /// Adds those of `wanted` that it has, whole, to the session.
  virtual void supply(PackSession& session, const std::set<ObjectId>& wanted, const Progress& progress) = 0;
  /// Its refs, and what it saw of others' refs.
  virtual std::vector<RefLog> logs() const { return {}; }
};

/// A remote's name, a path or URL of a repository, or a folder of safetensors files whose base checkpoint is in the store.
/// Error{not_found} if it is none of them.
std::unique_ptr<RepairSource> open_repair_source(const Repository& repository, const std::string& name);

struct RepairReport {
  std::uint64_t objects = 0;             ///< written, from the source or from damaged packs
  std::uint64_t bytes = 0;               ///< of them, as stored
  std::uint64_t ref_entries = 0;         ///< written
  std::vector<std::string> quarantined;  ///< paths that damaged packs and links have now
  std::vector<std::string> left;         ///< damaged packs and links that stay, and why; one line each
};

/// Gets what `found` says is damaged or missing, writes it into new packs, and moves a damaged pack or link aside once
/// everything in it is whole elsewhere. Only adds and moves aside; interrupted, it can be started again.
RepairReport repair(Repository& repository, const FsckReport& found, RepairSource& source, const Progress& progress, const Notice& notice = {});

}  // namespace dstore
