#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "dstore/id.h"

namespace dstore {

/// What a collection knows of a writer that is at work.
struct LeaseInfo {
  std::string name;
  std::uint64_t generation = 0;  ///< 0: not known yet
  std::vector<ObjectId> keeps;   ///< commits that must stay
  std::string holder;            ///< "process 4711 on node7", for messages
};

/// Held by whoever writes objects or refs that rely on objects of the store: a file DIR/leases/NAME under a kernel lock
/// that dies with the process (spec/repository.md, "Leases"). No pack that was not condemned when it was taken is
/// deleted while it is held. Where the file system has no locks it protects nothing (and a collection refuses to run).
class Lease {
 public:
  /// Error{io} where no file can be made.
  static Lease take(Filesystem& fs, const std::string& dir);
  ~Lease();
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) = delete;

  /// 32 hex digits: files in DIR/tmp that start with it are this writer's.
  const std::string& name() const { return name_; }
  /// Packs that were condemned when it was taken: what lies only there is not to be relied on.
  const std::set<ObjectId>& condemned() const { return condemned_; }
  /// From now on the holder relies on these commits alone, which stay; a collection does not wait for it.
  void rely_only_on(const std::vector<ObjectId>& commits);

 private:
  Lease(Filesystem& fs, std::string name, std::string path, std::unique_ptr<File> file);
  void write(std::uint64_t generation, const std::vector<ObjectId>& keeps);

  Filesystem& fs_;
  std::string name_;
  std::string path_;
  std::unique_ptr<File> file_;
  std::set<ObjectId> condemned_;
};

/// The writers at work now. Leases of dead processes are removed.
std::vector<LeaseInfo> live_leases(Filesystem& fs, const std::string& dir);

/// Whether a lock that one open file holds keeps another from it. `path` must exist and be locked exclusively by the caller.
bool lock_excludes(Filesystem& fs, const std::string& path);

}  // namespace dstore
