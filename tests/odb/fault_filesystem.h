#pragma once

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "dstore/error.h"

namespace dstore::test {

/// Counts every call that changes the disk and does something bad at one of them. Also remembers what was not synced
/// yet, so that a power cut can be played: power_cut() takes back what the disk was free to forget.
class FaultFilesystem : public Filesystem {
 public:
  enum class Fault {
    none,
    kill,       ///< the process ends before the call
    tear_kill,  ///< the process ends in the middle of a write, else after the call
    error,      ///< this call fails, later ones work
    disk_full,  ///< this call and every later one that needs space fail (writes leave half behind)
    cut,        ///< this call and all later ones throw; the test goes on with power_cut()
  };
  struct PowerCut : Error {
    PowerCut() : Error(ErrorCode::io, "injected: power cut") {}
  };

  FaultFilesystem() = default;
  FaultFilesystem(Fault fault, int at) : fault_(fault), at_(at) {}

  int calls() const { return calls_; }
  int file_syncs() const { return file_syncs_; }

  /// The n-th sync of a file, or every sync of a folder, is reported as done and is not: negative controls.
  void skip_file_sync(int n) { skipped_file_sync_ = n; }
  void skip_directory_syncs() { skip_directory_syncs_ = true; }

  /// Drops directory entries made since their folder was synced (or keeps them), and the content of unsynced files.
  void power_cut(bool drop_entries) {
    for (const auto& [path, inode] : entries_) {
      const auto info = real_.stat(path, false);
      if (!info || info->inode != inode) continue;
      if (!unsynced_.contains(inode)) continue;
      std::filesystem::permissions(path, std::filesystem::perms::owner_all);
      real_.open(path, OpenMode::write)->truncate(0);
    }
    if (!drop_entries) return;
    for (auto entry = pending_.rbegin(); entry != pending_.rend(); ++entry) {
      if (exists(real_, *entry)) remove_tree(real_, *entry);
    }
  }

  std::unique_ptr<File> open(const std::string& path, OpenMode mode, std::uint32_t permissions) override;
  std::optional<FileInfo> stat(const std::string& path, bool follow) override { return real_.stat(path, follow); }
  void rename(const std::string& from, const std::string& to) override {
    step(true, [&] { real_.rename(from, to); });
    note_entry(to);
  }
  bool link(const std::string& from, const std::string& to) override {
    bool made = false;
    step(true, [&] { made = real_.link(from, to); });
    if (made) note_entry(to);
    return made;
  }
  void remove(const std::string& path) override {
    step(false, [&] { real_.remove(path); });
  }
  bool make_directory(const std::string& path, std::uint32_t permissions) override {
    bool made = false;
    step(true, [&] { made = real_.make_directory(path, permissions); });
    if (made) note_entry(path);
    return made;
  }
  void sync_directory(const std::string& path) override {
    step(true, [&] { real_.sync_directory(path); });
    if (skip_directory_syncs_) return;
    const std::lock_guard lock(mutex_);
    std::erase_if(pending_, [&](const std::string& entry) { return parent_path(entry) == path; });
  }
  std::vector<std::string> list(const std::string& path) override { return real_.list(path); }
  std::uint64_t free_space(const std::string& path) override { return real_.free_space(path); }

 private:
  friend class FaultFile;

  void step(bool needs_space, const std::function<void()>& call, const std::function<void()>& torn = {}) {
    const int number = ++calls_;
    const bool now = number == at_;
    if (fault_ == Fault::kill && now) _exit(0);
    if (fault_ == Fault::tear_kill && now) {
      torn ? torn() : call();
      _exit(0);
    }
    if (fault_ == Fault::cut && at_ != 0 && number >= at_) {
      if (now && torn) torn();
      throw PowerCut{};
    }
    if (fault_ == Fault::error && now) throw Error(ErrorCode::io, "injected: Input/output error");
    if (fault_ == Fault::disk_full && at_ != 0 && number >= at_ && needs_space) {
      if (torn) torn();
      throw Error(ErrorCode::io, "injected: No space left on device");
    }
    call();
  }

  void note_entry(const std::string& path) {
    const auto info = real_.stat(path, false);
    const std::lock_guard lock(mutex_);
    pending_.push_back(path);
    entries_[path] = info ? info->inode : 0;
  }

  Filesystem& real_ = posix_filesystem();
  Fault fault_ = Fault::none;
  int at_ = 0;
  int calls_ = 0;
  int file_syncs_ = 0;
  int skipped_file_sync_ = 0;
  bool skip_directory_syncs_ = false;
  std::mutex mutex_;
  std::set<std::uint64_t> unsynced_;              ///< inodes
  std::map<std::string, std::uint64_t> entries_;  ///< path -> inode, of files made here
  std::vector<std::string> pending_;              ///< entries whose folder was not synced since
};

class FaultFile : public File {
 public:
  FaultFile(FaultFilesystem& fs, std::unique_ptr<File> real) : fs_(fs), real_(std::move(real)) {}
  std::size_t read_at(std::uint64_t offset, MutableByteSpan out) override { return real_->read_at(offset, out); }
  void write_at(std::uint64_t offset, ByteSpan bytes) override {
    fs_.step(
        true, [&] { real_->write_at(offset, bytes); }, [&] { real_->write_at(offset, bytes.first(bytes.size() / 2)); });
    const std::lock_guard lock(fs_.mutex_);
    fs_.unsynced_.insert(real_->info().inode);
  }
  void truncate(std::uint64_t size) override {
    fs_.step(true, [&] { real_->truncate(size); });
  }
  void sync() override {
    fs_.step(true, [&] { real_->sync(); });
    if (++fs_.file_syncs_ == fs_.skipped_file_sync_) return;
    const std::lock_guard lock(fs_.mutex_);
    fs_.unsynced_.erase(real_->info().inode);
  }
  FileInfo info() override { return real_->info(); }
  bool try_lock(LockMode mode, ByteRange range) override { return real_->try_lock(mode, range); }
  void unlock(ByteRange range) override { real_->unlock(range); }
  bool locked_elsewhere(ByteRange range) override { return real_->locked_elsewhere(range); }
  const std::string& path() const override { return real_->path(); }

 private:
  FaultFilesystem& fs_;
  std::unique_ptr<File> real_;
};

inline std::unique_ptr<File> FaultFilesystem::open(const std::string& path, OpenMode mode, std::uint32_t permissions) {
  std::unique_ptr<File> file;
  if (mode == OpenMode::create_new) {
    step(true, [&] { file = real_.open(path, mode, permissions); });
    note_entry(path);
  } else {
    file = real_.open(path, mode, permissions);
  }
  return std::make_unique<FaultFile>(*this, std::move(file));
}

}  // namespace dstore::test
