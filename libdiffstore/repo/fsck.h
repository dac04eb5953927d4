#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/room.h"
#include "repo/missing_objects.h"
#include "repo/model_files.h"
#include "repo/write_delta.h"

namespace dstore {

enum class FsckLevel {
  quick,     ///< the index against the packs' trailers, the chains of all refs, every ref's commit
  standard,  ///< also every record, linked chunk and signature, everything that a ref needs, stages
  deep,      ///< also every file of every commit made in memory and compared with what the commit recorded
};

struct Finding {
  /// Of what: "pack", "link", "index", "missing", "commit", "evaluation", "signature", "ref", "stage", "checkout".
  std::string_view kind;
  std::string message;  ///< one line: what, where, what to do
};

struct FsckOptions {
  FsckLevel level = FsckLevel::standard;
  unsigned threads = 0;
  bool index = true;  ///< look at the index, too
  /// A bar for one part of the work. May be empty.
  std::function<Progress(const std::string& label)> progress{};
  Notice notice{};  ///< told how much a large check reads, before each part of it
  /// Packs that were verified a moment ago.
  std::set<ObjectId> known_good{};
};

/// A ref whose chain does not hold.
struct DamagedRef {
  std::string log;  ///< "refs" or "remotes/NAME"
  RefName ref;
};

struct FsckReport {
  std::vector<Finding> findings;
  std::vector<std::string> notices;  ///< no damage: what is left over, bases that are not here
  std::vector<StoreProblem> damage;  ///< as far as findings are about packs and links
  std::vector<DamagedRef> damaged_refs;
  std::vector<ObjectId> heads;       ///< of all refs and mirrors whose chain holds
  MissingObjects missing;            ///< of what the heads need
  std::set<ObjectId> good_packs;     ///< verified by this run
  std::size_t packs = 0;
  std::size_t resumed = 0;           ///< of them verified by a check that was interrupted
  std::size_t links = 0;
  std::size_t commits = 0;
  std::size_t unsigned_commits = 0;
  std::size_t evaluations = 0;
  std::size_t unsigned_evaluations = 0;
  std::size_t checkouts = 0;         ///< made in memory
  std::size_t files_resumed = 0;     ///< of them made by a check that was interrupted
};

/// Changes nothing but `fsck-state`, which an interrupted check leaves and the next one goes on from (spec/repository.md).
/// Damage is reported, not thrown.
FsckReport fsck(const Repository& repository, const FsckOptions& options);

/// Deletes the caches beside packs/ and makes them anew.
void rebuild_caches(Filesystem& fs, const std::string& directory);

/// Produces every file of a model and compares it with what its commit recorded: Error{corrupt}. `seen` is told the bytes of
/// each piece, from several threads, one at a time. Returns the bytes.
std::uint64_t reconstruct(const Repository& repository, const ModelFiles& files, unsigned threads, const std::function<void(std::uint64_t)>& seen);

}  // namespace dstore
