#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/filesystem.h"
#include "base/mapped_file.h"
#include "dstore/error.h"

namespace dstore {
namespace {

[[noreturn]] void fail(const std::string& path, const char* action, int error) {
  const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::not_found
                         : error == EEXIST                   ? ErrorCode::conflict
                                                             : ErrorCode::io;
  const std::string message = printable(path) + ": cannot " + action + ": " + std::strerror(error);
  if (error == ENOSPC || error == EDQUOT) throw NoSpace(message + "; free some space and try again");
  throw Error(code, message);
}

FileInfo to_info(const struct stat& st) {
  FileInfo info;
  info.type = S_ISREG(st.st_mode)   ? FileInfo::Type::regular
              : S_ISDIR(st.st_mode) ? FileInfo::Type::directory
              : S_ISLNK(st.st_mode) ? FileInfo::Type::symlink
                                    : FileInfo::Type::other;
  info.size = static_cast<std::uint64_t>(st.st_size);
  info.mtime_ns = std::int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec;
  info.device = st.st_dev;
  info.inode = st.st_ino;
  info.mode = st.st_mode & 07777;
  info.links = st.st_nlink;
  return info;
}

/// For the locks of an open file description: l_pid must be 0.
struct flock lock_of(ByteRange range, short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(range.offset);
  lock.l_len = static_cast<off_t>(range.size);
  return lock;
}

class PosixFile : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  std::size_t read_at(std::uint64_t offset, MutableByteSpan out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(path_, "read", errno);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  void write_at(std::uint64_t offset, ByteSpan bytes) override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(path_, "write", errno);
      done += static_cast<std::size_t>(n);
    }
  }

  void truncate(std::uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) fail(path_, "set the size", errno);
  }

  void start_writeback(std::uint64_t offset, std::uint64_t size) override {
    ::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
  }

  void sync() override {
    if (::fsync(fd_) != 0) fail(path_, "sync", errno);
  }

  FileInfo info() override {
    struct stat st;
    if (::fstat(fd_, &st) != 0) fail(path_, "stat", errno);
    return to_info(st);
  }

  bool try_lock(LockMode mode, ByteRange range) override {
    struct flock lock = lock_of(range, mode == LockMode::exclusive ? F_WRLCK : F_RDLCK);
    if (::fcntl(fd_, F_OFD_SETLK, &lock) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    fail(path_, "lock", errno);
  }

  void unlock(ByteRange range) override {
    struct flock lock = lock_of(range, F_UNLCK);
    if (::fcntl(fd_, F_OFD_SETLK, &lock) != 0) fail(path_, "unlock", errno);
  }

  bool locked_elsewhere(ByteRange range) override {
    struct flock lock = lock_of(range, F_WRLCK);
    if (::fcntl(fd_, F_OFD_GETLK, &lock) != 0) fail(path_, "look for locks", errno);
    return lock.l_type != F_UNLCK;
  }

  const std::string& path() const override { return path_; }

 private:
  int fd_;
  std::string path_;
};

struct ModeRow {
  OpenMode mode;
  int flags;
};

constexpr ModeRow kModes[] = {
    {OpenMode::read, O_RDONLY | O_NONBLOCK},
    {OpenMode::read_store, O_RDONLY | O_NONBLOCK | O_NOFOLLOW},
    {OpenMode::write, O_RDWR | O_NONBLOCK | O_NOFOLLOW},
    {OpenMode::create_new, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW},
    {OpenMode::open_or_create, O_RDWR | O_CREAT | O_NONBLOCK | O_NOFOLLOW},
};

class PosixFilesystem : public Filesystem {
 public:
  std::unique_ptr<File> open(const std::string& path, OpenMode mode, std::uint32_t permissions) override {
    int flags = 0;
    for (const ModeRow& row : kModes) {
      if (row.mode == mode) flags = row.flags;
    }
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, permissions);
    if (fd < 0) fail(path, "open", errno);
    auto file = std::make_unique<PosixFile>(fd, path);
    // O_NONBLOCK kept a FIFO or device from blocking; none of them is ever read.
    if (file->info().type != FileInfo::Type::regular) {
      throw Error(ErrorCode::invalid_argument, printable(path) + ": not a regular file");
    }
    return file;
  }

  Mapping map(const std::string& path) override {
    const auto file = std::make_shared<const MappedFile>(path);
    return {file, file->bytes()};
  }

  std::optional<FileInfo> stat(const std::string& path, bool follow_symlinks) override {
    struct stat st;
    const int status = follow_symlinks ? ::stat(path.c_str(), &st) : ::lstat(path.c_str(), &st);
    if (status != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
      fail(path, "stat", errno);
    }
    return to_info(st);
  }

  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) fail(to, "rename into place", errno);
  }

  bool link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) == 0) return true;
    if (errno == EEXIST) return false;
    fail(to, "create", errno);
  }

  void remove(const std::string& path) override {
    if (::remove(path.c_str()) != 0) fail(path, "remove", errno);
  }

  bool make_directory(const std::string& path, std::uint32_t permissions) override {
    if (::mkdir(path.c_str(), permissions) == 0) return true;
    if (errno == EEXIST) return false;
    fail(path, "create the folder", errno);
  }

  void sync_directory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fail(path, "open the folder", errno);
    const int status = ::fsync(fd);
    const int error = errno;
    ::close(fd);
    if (status != 0) fail(path, "sync the folder", error);
  }

  std::vector<std::string> list(const std::string& path) override {
    DIR* dir = ::opendir(path.c_str());
    if (dir == nullptr) fail(path, "list the folder", errno);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(dir);
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int error = errno;
    ::closedir(dir);
    if (error != 0) fail(path, "list the folder", error);
    std::sort(names.begin(), names.end());
    return names;
  }

  std::uint64_t free_space(const std::string& path) override {
    struct statvfs info;
    if (::statvfs(path.c_str(), &info) != 0) fail(path, "read the free space", errno);
    return std::uint64_t{info.f_bavail} * info.f_frsize;
  }
};

}  // namespace

Filesystem& posix_filesystem() {
  static PosixFilesystem filesystem;
  return filesystem;
}

}  // namespace dstore
