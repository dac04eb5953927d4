#pragma once

#include <memory>
#include <string>

#include "base/filesystem.h"

namespace dstore {

/// A file that appears under its name whole or not at all. Bytes go to a random temporary name beside the target;
/// commit() syncs it and publishes; the destructor discards what was not committed. One thread.
class AtomicFile {
 public:
  AtomicFile(Filesystem& fs, std::string target, std::uint32_t permissions = 0644);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends.
  void write(ByteSpan bytes);
  File& file() { return *file_; }
  std::uint64_t size() const { return size_; }

  /// fsync, rename over the target, fsync the directory (unless sync_directory is false: the caller does it once for many).
  void commit(bool sync_directory = true);
  /// As commit(), but only if the target does not exist: false, and the temporary is gone, if it does.
  bool commit_new();

 private:
  void sync_and_close();

  Filesystem& fs_;
  std::string target_;
  std::string temporary_;
  std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
};

/// The whole content at once.
void write_file_atomically(Filesystem& fs, const std::string& path, ByteSpan bytes, std::uint32_t permissions = 0644);

}  // namespace dstore
