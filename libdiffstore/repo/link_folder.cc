#include "repo/link_folder.h"

#include <cstdlib>

#include "dstore/error.h"

namespace dstore {

LinkFile describe_file(Filesystem& fs, const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) throw Error(ErrorCode::not_found, printable(path) + ": no such file");
  LinkFile link;
  link.path = resolved;
  std::free(resolved);
  const FileInfo info = fs.stat(link.path, true).value_or(FileInfo{});
  link.size = info.size;
  link.mtime_ns = info.mtime_ns;
  link.inode = info.inode;
  return link;
}

std::size_t LinkFolder::start(const std::string& path) {
  const std::lock_guard lock(mutex_);
  links_.push_back(describe_file(fs_, join_path(folder_, path)));
  return links_.size() - 1;
}

void LinkFolder::add(std::size_t file, const ObjectId& chunk, std::uint64_t offset, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  links_[file].rows.push_back({chunk, offset, size});
}

void LinkFolder::require_unchanged() const {
  for (const LinkFile& link : links_) {
    const LinkFile now = describe_file(fs_, link.path);
    if (now.size == link.size && now.mtime_ns == link.mtime_ns && now.inode == link.inode) continue;
    throw Error(ErrorCode::conflict, printable(link.path) + ": changed while it was read; nothing was committed, try again when nobody writes to it");
  }
}

std::uint64_t LinkFolder::publish(ObjectStore& store) {
  std::uint64_t bytes = 0;
  for (LinkFile& link : links_) {
    link.finish_rows();
    bool needed = false;
    for (const LinkFile::Row& row : link.rows) {
      const auto entry = store.find(row.id);
      needed = needed || !entry || entry->linked;
    }
    if (!needed) continue;
    store.links().add(link);
    for (const LinkFile::Row& row : link.rows) bytes += row.size;
  }
  return bytes;
}

}  // namespace dstore
