#pragma once

#include <string>

#include <sqlite3.h>

#include "base/filesystem.h"

namespace dstore::sqlite {

/// SQLite's way to the disk through a Filesystem, registered under a name of its own while it lives; a connection that was
/// opened with that name must be closed before. Locks are SQLite's own protocol on its standard bytes, so other programs
/// may open the same file. No shared memory (a database in WAL mode cannot be opened) and no temporary files (set temp_store=MEMORY).
///
/// After a sync that failed, the file takes no more writes and no other sync: what the kernel has dropped, a second one would
/// not report. The journal stays for whoever opens the database next.
class Vfs {
 public:
  explicit Vfs(Filesystem& fs);
  ~Vfs();
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;

  const char* name() const { return name_.c_str(); }

 private:
  std::string name_;
  sqlite3_vfs vfs_;
};

}  // namespace dstore::sqlite
