#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {

/// The Error{io} of a full disk or quota.
class NoSpace : public Error {
 public:
  explicit NoSpace(const std::string& message) : Error(ErrorCode::io, message) {}
};

/// Bytes [offset, offset + size) of a file, to be locked; size 0: to the end, however long the file becomes.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

enum class LockMode { shared, exclusive };

struct FileInfo {
  enum class Type { regular, directory, symlink, other };
  Type type = Type::regular;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint32_t mode = 0;  ///< permission bits
  std::uint64_t links = 1;

  friend bool operator==(const FileInfo&, const FileInfo&) = default;
};

/// An open file. All calls throw Error{io} that names the path. read_at and write_at may be called from several threads.
class File {
 public:
  virtual ~File() = default;
  /// Reads up to out.size() bytes; fewer only at the end of the file.
  virtual std::size_t read_at(std::uint64_t offset, MutableByteSpan out) = 0;
  virtual void write_at(std::uint64_t offset, ByteSpan bytes) = 0;
  virtual void truncate(std::uint64_t size) = 0;
  /// A hint that [offset, offset + size) is complete and may go to the disk now, so that sync() has less left to do.
  /// Never waits for it and reports nothing; a file may ignore it.
  virtual void start_writeback(std::uint64_t offset, std::uint64_t size) {
    (void)offset;
    (void)size;
  }
  /// fsync. A failure poisons the file: the caller deletes it and never syncs it again.
  virtual void sync() = 0;
  virtual FileInfo info() = 0;
  /// A kernel lock that belongs to this open file: it ends with it, and with its process. Never waits: false if another open
  /// file (of this process too) holds one that excludes it. Bytes that are locked by this file already get the new mode.
  /// A shared lock needs a file that was opened for reading, an exclusive one a file opened for writing.
  virtual bool try_lock(LockMode mode, ByteRange range = {}) = 0;
  virtual void unlock(ByteRange range = {}) = 0;
  /// Whether another open file holds a lock, of either mode, on any of these bytes.
  virtual bool locked_elsewhere(ByteRange range = {}) = 0;
  virtual const std::string& path() const = 0;
};

/// A whole regular file in memory, for as long as `owner` lives. The file must not be truncated meanwhile.
struct Mapping {
  std::shared_ptr<const void> owner;
  ByteSpan bytes;
};

enum class OpenMode {
  read,        ///< existing regular file, symlinks followed (user input: model caches are links)
  read_store,  ///< existing regular file inside a store or output folder: the last component must not be a symlink
  write,       ///< existing regular file for read and write, no symlink
  create_new,  ///< must not exist yet (O_EXCL, no symlink)
  open_or_create,  ///< lock files
};

/// Every touch of the disk goes through here, so that tests can count, fail and replay them.
class Filesystem {
 public:
  virtual ~Filesystem() = default;
  /// Error{not_found} where the file is missing, {conflict} where create_new finds one, else {io}.
  virtual std::unique_ptr<File> open(const std::string& path, OpenMode mode, std::uint32_t permissions = 0644) = 0;
  /// The file's content without copying it where that can be done; symlinks are followed. Errors as for open(OpenMode::read).
  virtual Mapping map(const std::string& path);
  /// nullopt if there is nothing; a dangling symlink is `nullopt` when followed.
  virtual std::optional<FileInfo> stat(const std::string& path, bool follow_symlinks) = 0;
  virtual void rename(const std::string& from, const std::string& to) = 0;
  /// Atomic create-if-absent under `to`: false if `to` exists (nothing changes then).
  virtual bool link(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;  ///< a file or an empty directory
  /// false if it exists already.
  virtual bool make_directory(const std::string& path, std::uint32_t permissions = 0755) = 0;
  virtual void sync_directory(const std::string& path) = 0;
  /// Names (not paths), sorted by bytes, without "." and "..".
  virtual std::vector<std::string> list(const std::string& path) = 0;
  /// Free bytes for this user on the file system of `path`.
  virtual std::uint64_t free_space(const std::string& path) = 0;
};

/// The real one. Stateless.
Filesystem& posix_filesystem();

// What is built from those calls:
bool exists(Filesystem& fs, const std::string& path);
Bytes read_file(Filesystem& fs, const std::string& path, OpenMode mode = OpenMode::read, std::uint64_t limit = std::uint64_t(1) << 32);
std::string read_text_file(Filesystem& fs, const std::string& path, OpenMode mode = OpenMode::read, std::uint64_t limit = 64u << 20);
/// Creates every missing directory; syncs the parents of those it makes.
void make_directories(Filesystem& fs, const std::string& path);
void remove_tree(Filesystem& fs, const std::string& path);
/// `dir` + "/" + `name`.
std::string join_path(std::string_view dir, std::string_view name);
std::string parent_path(std::string_view path);
std::string file_name(std::string_view path);
/// A path relative to a folder that a file table may name: not empty, no "", "." or ".." components, no leading '/',
/// no NUL, control byte or backslash, at most 255 bytes a component and 4096 in all; strict UTF-8; and no component
/// that is ".git" or ".dstore" or starts with ".dstore-" (in any case).
bool is_safe_relative_path(std::string_view path);
/// 32 lower-case hex digits from the system's random source.
std::string random_name();

}  // namespace dstore
