#include "repo/temporary_folder.h"

#include <utility>

namespace dstore {

TemporaryFolder::TemporaryFolder(Filesystem& fs, std::string path) : fs_(fs), path_(std::move(path)) { fs_.make_directory(path_, 0700); }

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept : fs_(other.fs_), path_(std::exchange(other.path_, {})) {}

TemporaryFolder::~TemporaryFolder() {
  try {
    if (!path_.empty()) remove_tree(fs_, path_);
  } catch (const Error&) {
    // A folder with an odd name stays.
  }
}

std::string TemporaryFolder::beside(const std::string& path) { return join_path(parent_path(path), "." + file_name(path) + ".dstore-tmp-" + random_name()); }

}  // namespace dstore
