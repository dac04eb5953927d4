#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "repo/repository.h"

namespace dstore {

/// Files that may have the content of a file which is to be written, so that a file system with reflinks can share their
/// blocks: linked files, and those of checkouts beside the target folder that are as their checkout left them. Hints: who
/// clones one proves the bytes. Looked for at the first question. One thread.
class CloneSources {
 public:
  CloneSources(const Repository& repository, std::string target) : repository_(repository), target_(std::move(target)) {}

  /// Makes `file` (empty) share the blocks of a file whose bytes have this digest, and proves them. False: `file` is empty
  /// as before.
  bool try_clone(const ObjectId& sha256, std::uint64_t size, File& file);

  /// The file `path` of the target will differ from the file `like` in few pages.
  void expect(const std::string& path, const std::string& like) { likes_[path] = like; }
  /// Makes `file` (empty) share the blocks of the file that `path` is expected to be like, if that has this size. Its bytes are not
  /// proved. False: `file` is empty as before.
  bool try_clone_like(const std::string& path, std::uint64_t size, File& file) const;

 private:
  void look();
  void add_checkout(const std::string& folder);

  const Repository& repository_;
  const std::string target_;  ///< folder that is written; itself not looked into
  std::optional<std::multimap<ObjectId, std::string>> paths_;
  std::map<std::string, std::string> likes_;
};

}  // namespace dstore
