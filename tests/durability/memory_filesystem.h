#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "disk.h"

namespace dstore::test {

/// A Filesystem on a Disk, with kernel locks that end with their open file. No symbolic links. Thread-safe.
class MemoryFilesystem : public Filesystem {
 public:
  MemoryFilesystem() = default;
  explicit MemoryFilesystem(Disk disk) : disk_(std::move(disk)) {}

  /// As it is at this moment.
  Disk disk() const;
  /// A sync of `path` that failed.
  void forget_pending(const std::string& path);

  std::unique_ptr<File> open(const std::string& path, OpenMode mode, std::uint32_t permissions) override;
  std::optional<FileInfo> stat(const std::string& path, bool follow_symlinks) override;
  void rename(const std::string& from, const std::string& to) override;
  bool link(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  bool make_directory(const std::string& path, std::uint32_t permissions) override;
  void sync_directory(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  std::uint64_t free_space(const std::string&) override { return std::uint64_t(1) << 40; }

 private:
  friend class MemoryFile;
  struct Lock {
    const File* owner;
    LockMode mode;
    std::uint64_t begin, end;
  };

  Disk::Number require(const std::string& path, FileInfo::Type type) const;
  bool excluded(Disk::Number inode, const File* owner, LockMode mode, std::uint64_t begin, std::uint64_t end) const;
  void release(Disk::Number inode, const File* owner, std::uint64_t begin, std::uint64_t end);

  mutable std::mutex mutex_;
  Disk disk_;
  std::map<Disk::Number, std::vector<Lock>> locks_;
};

}  // namespace dstore::test
