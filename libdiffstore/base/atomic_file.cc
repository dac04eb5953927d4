#include "base/atomic_file.h"

#include "base/mutant.h"
#include "dstore/error.h"

namespace dstore {

AtomicFile::AtomicFile(Filesystem& fs, std::string target, std::uint32_t permissions)
    : fs_(fs), target_(std::move(target)), temporary_(join_path(parent_path(target_), ".tmp-" + random_name())) {
  file_ = fs_.open(temporary_, OpenMode::create_new, permissions);
}

AtomicFile::~AtomicFile() {
  if (temporary_.empty()) return;
  file_.reset();
  try {
    fs_.remove(temporary_);
  } catch (const Error&) {
    // What is left is an unreferenced temporary; the failure that brought us here is the one to report.
  }
}

void AtomicFile::write(ByteSpan bytes) {
  file_->write_at(size_, bytes);
  size_ += bytes.size();
}

void AtomicFile::sync_and_close() {
  if (!mutant("file-sync-skipped")) file_->sync();
  file_.reset();
}

void AtomicFile::commit(bool sync_directory) {
  sync_and_close();
  fs_.rename(temporary_, target_);
  temporary_.clear();
  if (sync_directory) fs_.sync_directory(parent_path(target_));
}

bool AtomicFile::commit_new() {
  sync_and_close();
  const bool created = fs_.link(temporary_, target_);
  fs_.remove(temporary_);
  temporary_.clear();
  if (created && !mutant("directory-sync-skipped")) fs_.sync_directory(parent_path(target_));
  return created;
}

void write_file_atomically(Filesystem& fs, const std::string& path, ByteSpan bytes, std::uint32_t permissions) {
  AtomicFile file(fs, path, permissions);
  file.write(bytes);
  file.commit();
}

}  // namespace dstore
