#include "repo/folder_lock.h"

#include "dstore/error.h"

namespace dstore {

FolderLock::FolderLock(Filesystem& fs, const std::string& folder) : fs_(fs), path_(join_path(folder, ".dstore-lock")) {
  const auto info = fs_.stat(folder, true);
  if (!info || info->type != FileInfo::Type::directory) throw Error(ErrorCode::not_found, printable(folder) + ": no such folder");
  for (;;) {
    file_ = fs_.open(path_, OpenMode::open_or_create);
    if (!file_->try_lock(LockMode::exclusive)) throw Error(ErrorCode::conflict, printable(folder) + ": another command is writing here; wait for it and try again");
    // Whoever had the lock before may have removed the file that we hold.
    const auto now = fs_.stat(path_, false);
    if (now && now->inode == file_->info().inode) return;
  }
}

FolderLock::~FolderLock() {
  try {
    fs_.remove(path_);
  } catch (const Error&) {
    // An empty file stays; the next command uses it.
  }
}

}  // namespace dstore
