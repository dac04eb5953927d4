#pragma once

#include <string>

#include "base/filesystem.h"

namespace dstore {

/// A folder for this user alone that goes with this object.
class TemporaryFolder {
 public:
  TemporaryFolder(Filesystem& fs, std::string path);
  ~TemporaryFolder();
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  const std::string& path() const { return path_; }

  /// A name for one next to a file or folder, which no command takes for the user's.
  static std::string beside(const std::string& path);

 private:
  Filesystem& fs_;
  std::string path_;
};

}  // namespace dstore
