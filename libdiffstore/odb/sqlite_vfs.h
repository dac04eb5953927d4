#pragma once

#include <string>

#include <sqlite3.h>

#include "base/filesystem.h"

namespace dstore::sqlite {

/// SQLite's way to the disk through a Filesystem, registered under a name of its own while it lives; a connection that was
/// opened with that name must be closed before. Locks are SQLite's own protocol on its standard bytes, so other programs
/// may open the same file. No shared memory (a database in WAL mode cannot be opened) and no temporary files (set temp_store=MEMORY).
///
/// After a sync that failed, nothing is written, synced or deleted any more: what the kernel has dropped, a second sync would not
/// report. The journal stays for whoever opens the database next.
class Vfs {
 public:
  explicit Vfs(Filesystem& fs);
  ~Vfs();
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;

  const char* name() const { return name_.c_str(); }
  Filesystem& filesystem() const { return fs_; }
  bool sync_failed() const { return sync_failed_; }
  void note_failed_sync() { sync_failed_ = true; }

 private:
  Filesystem& fs_;
  bool sync_failed_ = false;
  std::string name_;
  sqlite3_vfs vfs_;
};

}  // namespace dstore::sqlite
