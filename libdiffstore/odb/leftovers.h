#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/filesystem.h"

namespace dstore {

/// Temporary files of processes that are gone. What is listed on construction is judged by the leases that are alive then:
/// whoever writes to a repository takes a lease before it makes its first file.
class Leftovers {
 public:
  Leftovers(Filesystem& fs, const std::string& dir);

  /// Files and folders in DIR/tmp whose name does not start with that of a living lease. Returns how many.
  std::uint64_t remove_temporaries() const;
  /// ".tmp-…" beside the files that they were to become. They name no owner, so all writers of that time must have ended;
  /// else nothing is removed. Returns how many.
  std::uint64_t remove_atomic_files() const;

 private:
  Filesystem& fs_;
  std::string dir_;
  std::vector<std::string> temporaries_;   ///< paths
  std::vector<std::string> atomic_files_;  ///< paths
  std::set<std::string> owners_;           ///< names of the leases alive
};

}  // namespace dstore
