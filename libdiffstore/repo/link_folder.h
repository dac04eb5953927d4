#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "odb/link_file.h"
#include "repo/repository.h"

namespace dstore {

/// What an import in place found in the files of a folder, on its way into the store's links. add() may be called from
/// many threads.
class LinkFolder {
 public:
  LinkFolder(Filesystem& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}

  /// Starts a file of the folder (its path in the folder); its number for add().
  std::size_t start(const std::string& path);
  void add(std::size_t file, const ObjectId& chunk, std::uint64_t offset, std::uint64_t size);
  void set_digest(std::size_t file, const ObjectId& sha256) { links_[file].sha256 = sha256; }
  /// Error{conflict} if a file is not as it was at start().
  void require_unchanged() const;
  /// Makes the links durable: whatever names the chunks may be written after it. A file whose chunks are all in packs gets
  /// none. Returns the bytes that are linked.
  std::uint64_t publish(ObjectStore& store);

 private:
  Filesystem& fs_;
  const std::string folder_;
  std::mutex mutex_;
  std::vector<LinkFile> links_;
};

/// The bytes of a tensor's chunk, or of a side file, that lie in a linked file are not read by it: this describes the file
/// at `path` as it is now (no rows yet).
LinkFile describe_file(Filesystem& fs, const std::string& path);

}  // namespace dstore
