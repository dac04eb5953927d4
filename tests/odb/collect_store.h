#pragma once

#include <set>

#include "odb/collect.h"
#include "odb/condemned.h"
#include "test_store.h"

namespace dstore::test {

/// Alive is what the test says.
class GivenLiveness : public Liveness {
 public:
  std::set<ObjectId> alive;
  std::function<void(int)> on_mark;  ///< called with 1, 2, ...
  std::vector<ObjectId> kept;        ///< objects that the collection said must stay
  std::vector<ObjectId> kept_commits;

  void mark(const std::vector<ObjectId>& commits) override {
    kept_commits = commits;
    if (on_mark) on_mark(++marks_);
  }
  bool is_dead(const PackEntry& entry) const override { return !alive.contains(entry.id); }
  void keep(const PackEntry& entry) override {
    kept.push_back(entry.id);
    alive.insert(entry.id);
  }

 private:
  int marks_ = 0;
};

inline CollectOptions at_once() {
  CollectOptions options;
  options.wait_seconds = 0;
  return options;
}

inline ObjectStore open_store(const std::string& dir, IndexMode mode = IndexMode::memory, Filesystem& fs = posix_filesystem()) {
  return ObjectStore::open(fs, dir, mode);
}

/// One pack with these objects.
inline std::vector<ObjectId> write_pack(const std::string& dir, ObjectKind kind, const std::vector<Bytes>& contents) {
  ObjectStore store = open_store(dir);
  PackSession session = store.begin_write();
  std::vector<ObjectId> ids;
  for (const Bytes& content : contents) ids.push_back(session.add(kind, content));
  REQUIRE(session.commit().size() == 1);
  return ids;
}

inline std::uint64_t bytes_in_packs(const std::string& dir) {
  std::uint64_t sum = 0;
  for (const std::string& name : posix_filesystem().list(dir + "/packs")) sum += posix_filesystem().stat(dir + "/packs/" + name, false)->size;
  return sum;
}

}  // namespace dstore::test
