#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/filesystem.h"

namespace dstore::test {

/// What a disk and the kernel's cache before it hold, as a value: cheap to copy, nothing is shared that can change.
///
/// Two states are kept of everything. *Now* is what running processes see. *Durable* is what surely survives a power cut: a
/// file's bytes as of its last sync, a folder's entries as of the folder's last sync, each independent of the other, as POSIX has
/// it. The steps between them are pending; a crash keeps any of them.
class Disk {
 public:
  using Number = std::uint64_t;  ///< of an inode; 0: none
  static constexpr Number kRoot = 1;

  Disk();

  /// 0 if there is nothing. Paths are absolute.
  Number find(const std::string& path) const;
  FileInfo info(Number inode) const;
  std::vector<std::string> list(Number folder) const;
  std::size_t read(Number file, std::uint64_t offset, MutableByteSpan out) const;

  Number create(const std::string& path, FileInfo::Type type, std::uint32_t mode);
  void write(Number file, std::uint64_t offset, ByteSpan bytes);
  void truncate(Number file, std::uint64_t size);
  void sync(Number inode);
  /// What a failed sync does: the kernel gives the pending writes up, and the next sync reports nothing.
  void forget_pending(Number file);
  void link(const std::string& from, const std::string& to);
  void rename(const std::string& from, const std::string& to);
  void remove(const std::string& path);

  /// One of the disks that a power cut here may leave; everything on it is durable.
  enum class Loss {
    everything,  ///< no pending step
    nothing,     ///< every pending step
    data,        ///< entries are kept, writes lost: the metadata journal was faster
    entries,     ///< the other way round
    some,        ///< each step by itself; writes may be torn by sectors of 512 or 4096 bytes
  };
  Disk after_power_cut(Loss loss, std::mt19937& random) const;
  /// Everything becomes durable.
  void sync_all();

 private:
  struct Change {  ///< of a file
    std::uint64_t offset = 0;
    Bytes bytes;
    bool truncates = false;  ///< to `offset`
  };
  struct EntryChange {  ///< of a folder
    std::string name;
    Number target = 0;       ///< 0: removed
    std::uint64_t step = 0;  ///< both sides of a rename have the same: they survive together or not at all
  };
  struct Inode {
    FileInfo::Type type = FileInfo::Type::regular;
    std::uint32_t mode = 0;
    std::int64_t mtime = 0;
    Bytes now, durable;
    std::vector<Change> changes;
    std::map<std::string, Number> entries, durable_entries;
    std::vector<EntryChange> entry_changes;
  };

  const Inode& inode(Number number) const { return *inodes_.at(number); }
  Inode& change(Number number);
  /// The folder of `path`, Error{not_found} if it is not there.
  Number folder_of(const std::string& path) const;
  void set_entry(const std::string& path, Number target, std::uint64_t step);
  void sync_entries(Number folder);

  std::map<Number, std::shared_ptr<const Inode>> inodes_;
  Number next_ = kRoot + 1;
  std::uint64_t steps_ = 0;
};

}  // namespace dstore::test
