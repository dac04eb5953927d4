#pragma once

#include <string>

#include "base/filesystem.h"

namespace dstore {

/// A folder that appears whole or not at all: files are made in path(), beside the target, which is new or empty. Error{conflict} if it is
/// neither; the destructor removes what was not committed.
class NewFolder {
 public:
  NewFolder(Filesystem& fs, std::string target);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const std::string& path() const { return temporary_; }
  /// The files must be durable already.
  void commit();

 private:
  Filesystem& fs_;
  std::string target_;
  std::string temporary_;  ///< empty: committed
};

}  // namespace dstore
