#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "disk.h"

namespace dstore::test {

/// What the user of an operation was told is done, and how to see that it is.
struct Acknowledged {
  std::string what;
  std::function<bool(Filesystem&)> holds;
};
using Acknowledge = std::function<void(const Acknowledged&)>;

/// What every operation starts from: a user with a key, model folders, a repository with history, a remote, a clone that is behind,
/// a stage, a checkout.
struct Scene {
  Disk disk;
  std::string key;  ///< serialised
};
const Scene& scene();

inline const std::string kRepository = "/repo/.dstore";
inline const std::string kClone = "/clone/.dstore";
inline const std::string kFresh = "/fresh/.dstore";
inline const std::string kRemote = "/remote";
inline const std::string kNewRemote = "/new-remote";
inline const std::string kCheckout = "/out";
inline const std::string kApplied = "/applied";  ///< base+task, applied to a checkout of base
inline const std::string kNewCheckout = "/new-out";

/// One thing that a user does, and the stores and checkouts that it touches. Adding an operation is adding a row to operations().
struct Operation {
  const char* name;
  std::vector<std::string> stores;
  std::vector<std::string> folders;
  std::function<void(Filesystem&, const Acknowledge&)> run;
  /// Whether nothing of what it syncs is also synced by something else, or synced only to be quicker at finishing it later.
  bool needs_every_sync = false;
  /// Whether commits that only a ref's past names may go.
  bool drops_history = false;
};
const std::vector<Operation>& operations();

/// What is wrong with what `operation` left on `fs` (spec/repository.md, "Writing"): one line each, nothing if all is well.
///   what was acknowledged holds: commits and deletions are in their ref's history, for ever;
///   no ref names anything that is missing or badly signed; packs hold what their names say; histories are unbroken;
///   the index gives the same objects as the packs alone;
///   a checkout is old or new, never between;
///   and, unless `read_only`, the next command works.
std::vector<std::string> violations(Filesystem& fs, const Operation& operation, const std::vector<Acknowledged>& acknowledged,
                                    bool read_only = false);

}  // namespace dstore::test
