#include "repo/new_folder.h"

#include "dstore/error.h"

namespace dstore {

NewFolder::NewFolder(Filesystem& fs, std::string target) : fs_(fs), target_(std::move(target)) {
  while (target_.size() > 1 && target_.back() == '/') target_.pop_back();
  const auto info = fs.stat(target_, false);
  if (info && info->type != FileInfo::Type::directory) throw Error(ErrorCode::conflict, printable(target_) + ": exists and is not a folder");
  if (info && !fs.list(target_).empty()) throw Error(ErrorCode::conflict, printable(target_) + ": exists and is not empty; choose another folder");
  const std::string parent = parent_path(target_);
  make_directories(fs, parent);
  temporary_ = join_path(parent, "." + file_name(target_) + ".dstore-tmp-" + random_name());
  fs.make_directory(temporary_);
}

NewFolder::~NewFolder() {
  if (temporary_.empty()) return;
  try {
    remove_tree(fs_, temporary_);
  } catch (const Error&) {
    // What stays is named as a temporary folder.
  }
}

void NewFolder::commit() {
  fs_.sync_directory(temporary_);
  fs_.rename(temporary_, target_);
  temporary_.clear();
  fs_.sync_directory(parent_path(target_));
}

}  // namespace dstore
