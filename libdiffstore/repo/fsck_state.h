#pragma once

#include <map>
#include <set>

#include "base/filesystem.h"
#include "odb/object_store.h"

namespace dstore {

/// The file `fsck-state`: packs that a check has read in full and files that it has made, so that the next one goes on after an
/// interruption. A pack counts only while its file has the same size, time and inode. Where it cannot be written, nothing is
/// remembered.
class FsckState {
 public:
  FsckState(Filesystem& fs, const std::string& directory);
  /// Whatever was verified since the last save is saved: the check was interrupted, unless finish() came first.
  ~FsckState();
  FsckState(const FsckState&) = delete;
  FsckState& operator=(const FsckState&) = delete;

  bool knows(const ObjectId& pack, const FileInfo& info) const;
  void add(const ObjectId& pack, const FileInfo& info);
  /// Files of checkouts that were made and compared, by a key of their content.
  bool knows_made(const ObjectId& file) const { return made_.contains(file); }
  void add_made(const ObjectId& file, std::uint64_t bytes);
  /// The check is complete: removes the file.
  void finish();

 private:
  struct Row {
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const Row&, const Row&) = default;
  };
  static Row row_of(const FileInfo& info) { return {info.size, info.mtime_ns, info.inode}; }
  void load();
  void save();
  void count(std::uint64_t bytes);

  Filesystem& fs_;
  const std::string path_;
  std::map<ObjectId, Row> rows_;
  std::set<ObjectId> made_;
  std::uint64_t unsaved_ = 0;  ///< bytes of packs and files
};

}  // namespace dstore
