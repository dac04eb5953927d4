#pragma once

#include "base/filesystem.h"

namespace dstore::test {

/// Hands every call to the real one: tests change single calls.
class PassingFilesystem : public Filesystem {
 public:
  std::unique_ptr<File> open(const std::string& path, OpenMode mode, std::uint32_t permissions) override { return real_.open(path, mode, permissions); }
  std::optional<FileInfo> stat(const std::string& path, bool follow_symlinks) override { return real_.stat(path, follow_symlinks); }
  void rename(const std::string& from, const std::string& to) override { real_.rename(from, to); }
  bool link(const std::string& from, const std::string& to) override { return real_.link(from, to); }
  void remove(const std::string& path) override { real_.remove(path); }
  bool make_directory(const std::string& path, std::uint32_t permissions) override { return real_.make_directory(path, permissions); }
  void sync_directory(const std::string& path) override { real_.sync_directory(path); }
  std::vector<std::string> list(const std::string& path) override { return real_.list(path); }
  std::uint64_t free_space(const std::string& path) override { return real_.free_space(path); }
  bool try_clone(const std::string& from, File& to) override { return real_.try_clone(from, to); }

 protected:
  Filesystem& real_ = posix_filesystem();
};

}  // namespace dstore::test
