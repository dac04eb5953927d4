#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/filesystem.h"

namespace dstore {

/// One file of a checkpoint folder that is no shard.
struct SideFile {
  std::string path;  ///< relative, safe (is_safe_relative_path)
  std::uint64_t size = 0;

  friend bool operator==(const SideFile&, const SideFile&) = default;
};

/// What stands in a folder, before anything but .dstoreignore was opened.
struct FolderScan {
  std::vector<SideFile> files;        ///< regular files, and links to such; sorted by path
  std::vector<std::string> pickles;   ///< paths of files that only unpickling could read: left out
  std::vector<std::string> links;     ///< paths of links that lead to nothing or to a folder: left out
  std::vector<std::string> specials;  ///< FIFOs, sockets, devices: left out, never opened
};

/// Walks `folder` and its subfolders (not through links), without what .dstoreignore leaves out and without .dstore,
/// .dstore-*, .git and .cache at any depth. Error{not_found} if there is no such folder, {invalid_argument} for
/// a file name that no checkpoint can hold.
FolderScan scan_folder(Filesystem& fs, const std::string& folder);

/// Whether the name says that only unpickling could read it: .bin, .pt, .pth, .pkl, .pickle, .ckpt, .bin.index.json.
bool is_pickle_name(std::string_view path);

}  // namespace dstore
