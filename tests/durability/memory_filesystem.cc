#include "memory_filesystem.h"

#include <algorithm>
#include <limits>

#include "dstore/error.h"

namespace dstore::test {
namespace {

std::uint64_t end_of(ByteRange range) { return range.size == 0 ? std::numeric_limits<std::uint64_t>::max() : range.offset + range.size; }

}  // namespace

class MemoryFile : public File {
 public:
  MemoryFile(MemoryFilesystem& fs, Disk::Number inode, std::string path) : fs_(fs), inode_(inode), path_(std::move(path)) {}
  ~MemoryFile() override { unlock({}); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::size_t read_at(std::uint64_t offset, MutableByteSpan out) override {
    const std::lock_guard lock(fs_.mutex_);
    return fs_.disk_.read(inode_, offset, out);
  }
  void write_at(std::uint64_t offset, ByteSpan bytes) override {
    const std::lock_guard lock(fs_.mutex_);
    fs_.disk_.write(inode_, offset, bytes);
  }
  void truncate(std::uint64_t size) override {
    const std::lock_guard lock(fs_.mutex_);
    fs_.disk_.truncate(inode_, size);
  }
  void sync() override {
    const std::lock_guard lock(fs_.mutex_);
    fs_.disk_.sync(inode_);
  }
  FileInfo info() override {
    const std::lock_guard lock(fs_.mutex_);
    return fs_.disk_.info(inode_);
  }
  bool try_lock(LockMode mode, ByteRange range) override {
    const std::lock_guard lock(fs_.mutex_);
    if (fs_.excluded(inode_, this, mode, range.offset, end_of(range))) return false;
    fs_.release(inode_, this, range.offset, end_of(range));
    fs_.locks_[inode_].push_back({this, mode, range.offset, end_of(range)});
    return true;
  }
  void unlock(ByteRange range) override {
    const std::lock_guard lock(fs_.mutex_);
    fs_.release(inode_, this, range.offset, end_of(range));
  }
  bool locked_elsewhere(ByteRange range) override {
    const std::lock_guard lock(fs_.mutex_);
    return fs_.excluded(inode_, this, LockMode::exclusive, range.offset, end_of(range));
  }
  const std::string& path() const override { return path_; }

 private:
  MemoryFilesystem& fs_;
  Disk::Number inode_;
  std::string path_;
};

Disk MemoryFilesystem::disk() const {
  const std::lock_guard lock(mutex_);
  return disk_;
}

void MemoryFilesystem::forget_pending(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (const Disk::Number inode = disk_.find(path)) disk_.forget_pending(inode);
}

Disk::Number MemoryFilesystem::require(const std::string& path, FileInfo::Type type) const {
  const Disk::Number inode = disk_.find(path);
  if (inode == 0) throw Error(ErrorCode::not_found, path + ": no such file or folder");
  if (disk_.info(inode).type != type) throw Error(ErrorCode::invalid_argument, path + ": of another type");
  return inode;
}

bool MemoryFilesystem::excluded(Disk::Number inode, const File* owner, LockMode mode, std::uint64_t begin, std::uint64_t end) const {
  const auto found = locks_.find(inode);
  if (found == locks_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const Lock& lock) {
    return lock.owner != owner && lock.begin < end && begin < lock.end && (mode == LockMode::exclusive || lock.mode == LockMode::exclusive);
  });
}

void MemoryFilesystem::release(Disk::Number inode, const File* owner, std::uint64_t begin, std::uint64_t end) {
  std::vector<Lock> left;
  for (const Lock& lock : locks_[inode]) {
    if (lock.owner != owner || lock.end <= begin || end <= lock.begin) {
      left.push_back(lock);
      continue;
    }
    if (lock.begin < begin) left.push_back({owner, lock.mode, lock.begin, begin});
    if (end < lock.end) left.push_back({owner, lock.mode, end, lock.end});
  }
  locks_[inode] = std::move(left);
}

std::unique_ptr<File> MemoryFilesystem::open(const std::string& path, OpenMode mode, std::uint32_t permissions) {
  const std::lock_guard lock(mutex_);
  Disk::Number inode = disk_.find(path);
  if (mode == OpenMode::create_new && inode != 0) throw Error(ErrorCode::conflict, path + ": exists");
  const bool may_create = mode == OpenMode::create_new || mode == OpenMode::open_or_create;
  inode = inode == 0 && may_create ? disk_.create(path, FileInfo::Type::regular, permissions) : require(path, FileInfo::Type::regular);
  return std::make_unique<MemoryFile>(*this, inode, path);
}

std::optional<FileInfo> MemoryFilesystem::stat(const std::string& path, bool) {
  const std::lock_guard lock(mutex_);
  const Disk::Number inode = disk_.find(path);
  if (inode == 0) return std::nullopt;
  return disk_.info(inode);
}

void MemoryFilesystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const Disk::Number moved = disk_.find(from);
  if (moved == 0) throw Error(ErrorCode::not_found, from + ": no such file or folder");
  const Disk::Number target = disk_.find(to);
  if (target != 0 && disk_.info(target).type == FileInfo::Type::directory && !disk_.list(target).empty()) {
    throw Error(ErrorCode::io, to + ": not empty");
  }
  disk_.rename(from, to);
}

bool MemoryFilesystem::link(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  require(from, FileInfo::Type::regular);
  if (disk_.find(to) != 0) return false;
  disk_.link(from, to);
  return true;
}

void MemoryFilesystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Disk::Number inode = disk_.find(path);
  if (inode == 0) throw Error(ErrorCode::not_found, path + ": no such file or folder");
  if (disk_.info(inode).type == FileInfo::Type::directory && !disk_.list(inode).empty()) throw Error(ErrorCode::io, path + ": not empty");
  disk_.remove(path);
}

bool MemoryFilesystem::make_directory(const std::string& path, std::uint32_t permissions) {
  const std::lock_guard lock(mutex_);
  if (disk_.find(path) != 0) return false;
  disk_.create(path, FileInfo::Type::directory, permissions);
  return true;
}

void MemoryFilesystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  disk_.sync(require(path, FileInfo::Type::directory));
}

std::vector<std::string> MemoryFilesystem::list(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return disk_.list(require(path, FileInfo::Type::directory));
}

}  // namespace dstore::test
