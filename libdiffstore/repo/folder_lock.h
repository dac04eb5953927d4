#pragma once

#include <memory>
#include <string>

#include "base/filesystem.h"

namespace dstore {

/// One command at a time writes into a checked-out folder: a kernel lock on `.dstore-lock` there, which is removed again.
class FolderLock {
 public:
  /// Error{conflict} if somebody else has it, {not_found} if there is no such folder. Never waits.
  FolderLock(Filesystem& fs, const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  Filesystem& fs_;
  std::string path_;
  std::unique_ptr<File> file_;
};

}  // namespace dstore
