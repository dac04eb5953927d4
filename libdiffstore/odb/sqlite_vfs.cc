#include "odb/sqlite_vfs.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "dstore/error.h"

namespace dstore::sqlite {
namespace {

// https://www.sqlite.org/fileformat.html, "The Lock-Byte Page": one byte each, then the bytes that readers share.
constexpr std::uint64_t kPendingByte = 0x40000000;
constexpr ByteRange kPending = {kPendingByte, 1};
constexpr ByteRange kReserved = {kPendingByte + 1, 1};
constexpr ByteRange kShared = {kPendingByte + 2, 510};
constexpr ByteRange kPendingAndReserved = {kPendingByte, 2};
constexpr ByteRange kEveryLock = {kPendingByte, 512};

constexpr int kMaxPath = 4096;
constexpr int kSectorSize = 4096;

/// Runs a callback of SQLite, which is C: no exception leaves it.
template <typename Call>
int guarded(int status_of_failure, const Call& call) noexcept {
  try {
    return call();
  } catch (const NoSpace&) {
    return SQLITE_FULL;
  } catch (const std::bad_alloc&) {
    return SQLITE_IOERR_NOMEM;
  } catch (...) {
    return status_of_failure;
  }
}

class OpenFile {
 public:
  OpenFile(Vfs& vfs, std::unique_ptr<File> file, bool sync_folder) : vfs_(vfs), file_(std::move(file)), sync_folder_(sync_folder) {}

  int read(MutableByteSpan out, std::uint64_t offset) {
    const std::size_t size = file_->read_at(offset, out);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(size), out.end(), std::byte{0});
    return size == out.size() ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }

  int write(ByteSpan bytes, std::uint64_t offset) {
    if (vfs_.sync_failed()) return SQLITE_IOERR_WRITE;
    file_->write_at(offset, bytes);
    return SQLITE_OK;
  }

  int truncate(std::uint64_t size) {
    if (vfs_.sync_failed()) return SQLITE_IOERR_TRUNCATE;
    file_->truncate(size);
    return SQLITE_OK;
  }

  int sync() {
    if (vfs_.sync_failed()) return SQLITE_IOERR_FSYNC;
    try {
      file_->sync();
      // A journal's name must be durable too, whoever made it, before the database is overwritten.
      if (sync_folder_) vfs_.filesystem().sync_directory(parent_path(file_->path()));
    } catch (...) {
      vfs_.note_failed_sync();
      throw;
    }
    sync_folder_ = false;
    return SQLITE_OK;
  }

  std::uint64_t size() { return file_->info().size; }

  int lock(int level) {
    if (level <= level_) return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
      // PENDING is held for a moment: a writer that waits for the readers to go lets no new one in.
      if (!file_->try_lock(LockMode::shared, kPending)) return SQLITE_BUSY;
      const bool locked = file_->try_lock(LockMode::shared, kShared);
      file_->unlock(kPending);
      if (!locked) return SQLITE_BUSY;
    } else if (level == SQLITE_LOCK_RESERVED) {
      if (!file_->try_lock(LockMode::exclusive, kReserved)) return SQLITE_BUSY;
    } else {
      // Without RESERVED it is a recovery; there PENDING would keep out the readers that must see the same journal.
      if (level_ == SQLITE_LOCK_RESERVED) {
        if (!file_->try_lock(LockMode::exclusive, kPending)) return SQLITE_BUSY;
        level_ = SQLITE_LOCK_PENDING;
      }
      if (!file_->try_lock(LockMode::exclusive, kShared)) return SQLITE_BUSY;
    }
    level_ = level;
    return SQLITE_OK;
  }

  int unlock(int level) {
    if (level >= level_) return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
      if (!file_->try_lock(LockMode::shared, kShared)) return SQLITE_IOERR_RDLOCK;
      file_->unlock(kPendingAndReserved);
    } else {
      file_->unlock(kEveryLock);
    }
    level_ = level;
    return SQLITE_OK;
  }

  bool is_reserved() { return level_ >= SQLITE_LOCK_RESERVED || file_->locked_elsewhere(kReserved); }
  int level() const { return level_; }

  /// Whether the name no longer leads to this file.
  bool has_moved() {
    const auto now = vfs_.filesystem().stat(file_->path(), false);
    return !now || now->inode != file_->info().inode;
  }

 private:
  Vfs& vfs_;
  std::unique_ptr<File> file_;
  bool sync_folder_;
  int level_ = SQLITE_LOCK_NONE;
};

/// What SQLite allocates for a file; `base` first.
struct Handle {
  sqlite3_file base;
  OpenFile* open;
};

OpenFile& opened(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file)->open; }
Vfs& ours(sqlite3_vfs* vfs) { return *static_cast<Vfs*>(vfs->pAppData); }

int x_close(sqlite3_file* file) {
  delete &opened(file);
  return SQLITE_OK;
}

int x_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  return guarded(SQLITE_IOERR_READ, [&] {
    return opened(file).read({static_cast<std::byte*>(out), static_cast<std::size_t>(size)}, static_cast<std::uint64_t>(offset));
  });
}

int x_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  return guarded(SQLITE_IOERR_WRITE, [&] {
    return opened(file).write({static_cast<const std::byte*>(bytes), static_cast<std::size_t>(size)}, static_cast<std::uint64_t>(offset));
  });
}

int x_truncate(sqlite3_file* file, sqlite3_int64 size) {
  return guarded(SQLITE_IOERR_TRUNCATE, [&] { return opened(file).truncate(static_cast<std::uint64_t>(size)); });
}

int x_sync(sqlite3_file* file, int) {
  return guarded(SQLITE_IOERR_FSYNC, [&] { return opened(file).sync(); });
}

int x_file_size(sqlite3_file* file, sqlite3_int64* size) {
  return guarded(SQLITE_IOERR_FSTAT, [&] {
    *size = static_cast<sqlite3_int64>(opened(file).size());
    return SQLITE_OK;
  });
}

int x_lock(sqlite3_file* file, int level) {
  return guarded(SQLITE_IOERR_LOCK, [&] { return opened(file).lock(level); });
}

int x_unlock(sqlite3_file* file, int level) {
  return guarded(SQLITE_IOERR_UNLOCK, [&] { return opened(file).unlock(level); });
}

int x_check_reserved_lock(sqlite3_file* file, int* reserved) {
  return guarded(SQLITE_IOERR_CHECKRESERVEDLOCK, [&] {
    *reserved = opened(file).is_reserved() ? 1 : 0;
    return SQLITE_OK;
  });
}

int x_file_control(sqlite3_file* file, int operation, void* argument) {
  if (operation == SQLITE_FCNTL_LOCKSTATE) {
    *static_cast<int*>(argument) = opened(file).level();
    return SQLITE_OK;
  }
  if (operation != SQLITE_FCNTL_HAS_MOVED) return SQLITE_NOTFOUND;
  return guarded(SQLITE_IOERR_FSTAT, [&] {
    *static_cast<int*>(argument) = opened(file).has_moved() ? 1 : 0;
    return SQLITE_OK;
  });
}

int x_sector_size(sqlite3_file*) { return kSectorSize; }
int x_device_characteristics(sqlite3_file*) { return 0; }  // nothing is promised

constexpr sqlite3_io_methods make_methods() {
  sqlite3_io_methods methods = {};
  methods.iVersion = 1;
  methods.xClose = x_close;
  methods.xRead = x_read;
  methods.xWrite = x_write;
  methods.xTruncate = x_truncate;
  methods.xSync = x_sync;
  methods.xFileSize = x_file_size;
  methods.xLock = x_lock;
  methods.xUnlock = x_unlock;
  methods.xCheckReservedLock = x_check_reserved_lock;
  methods.xFileControl = x_file_control;
  methods.xSectorSize = x_sector_size;
  methods.xDeviceCharacteristics = x_device_characteristics;
  return methods;
}

constexpr sqlite3_io_methods kMethods = make_methods();

int x_open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  if (path == nullptr) return SQLITE_CANTOPEN;  // a temporary file
  return guarded(SQLITE_CANTOPEN, [&] {
    Filesystem& fs = ours(vfs).filesystem();
    std::unique_ptr<File> found;
    if ((flags & SQLITE_OPEN_READWRITE) != 0) {
      const OpenMode mode = (flags & SQLITE_OPEN_CREATE) == 0      ? OpenMode::write
                            : (flags & SQLITE_OPEN_EXCLUSIVE) != 0 ? OpenMode::create_new
                                                                   : OpenMode::open_or_create;
      try {
        found = fs.open(path, mode);
      } catch (const NoSpace&) {
        throw;
      } catch (const Error&) {
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
      }
    }
    if (!found) found = fs.open(path, OpenMode::read_store);
    reinterpret_cast<Handle*>(file)->open = new OpenFile(ours(vfs), std::move(found), (flags & SQLITE_OPEN_MAIN_JOURNAL) != 0);
    file->pMethods = &kMethods;
    if (out_flags != nullptr) *out_flags = flags;
    return SQLITE_OK;
  });
}

int x_delete(sqlite3_vfs* vfs, const char* path, int sync_folder) {
  return guarded(SQLITE_IOERR_DELETE, [&] {
    if (ours(vfs).sync_failed()) return SQLITE_IOERR_DELETE;
    Filesystem& fs = ours(vfs).filesystem();
    try {
      fs.remove(path);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::not_found) return SQLITE_IOERR_DELETE_NOENT;
      throw;
    }
    if (sync_folder != 0) fs.sync_directory(parent_path(path));
    return SQLITE_OK;
  });
}

int x_access(sqlite3_vfs* vfs, const char* path, int, int* result) {
  return guarded(SQLITE_IOERR_ACCESS, [&] {
    const auto info = ours(vfs).filesystem().stat(path, false);
    *result = info && (info->type != FileInfo::Type::regular || info->size > 0) ? 1 : 0;  // an empty journal counts as none
    return SQLITE_OK;
  });
}

/// Paths are the caller's, as everywhere: relative ones are relative to the working folder.
int x_full_pathname(sqlite3_vfs*, const char* path, int size, char* out) {
  const std::size_t length = std::strlen(path);
  if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN_FULLPATH;
  std::memcpy(out, path, length + 1);
  return SQLITE_OK;
}

}  // namespace

Vfs::Vfs(Filesystem& fs) : fs_(fs), name_("dstore-" + random_name()), vfs_(*sqlite3_vfs_find(nullptr)) {
  // Clock, sleep and random numbers stay those of SQLite's own; nothing that touches a disk does.
  vfs_.iVersion = 2;
  vfs_.szOsFile = sizeof(Handle);
  vfs_.mxPathname = kMaxPath;
  vfs_.pNext = nullptr;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = x_open;
  vfs_.xDelete = x_delete;
  vfs_.xAccess = x_access;
  vfs_.xFullPathname = x_full_pathname;
  vfs_.xDlOpen = nullptr;
  vfs_.xDlError = nullptr;
  vfs_.xDlSym = nullptr;
  vfs_.xDlClose = nullptr;
  sqlite3_vfs_register(&vfs_, 0);
}

Vfs::~Vfs() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace dstore::sqlite
