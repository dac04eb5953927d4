#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "repo/align.h"
#include "repo/publish.h"
#include "repo/write_delta.h"
#include "tensor/checkpoint_folder.h"

namespace dstore {

/// What was in an adapter's folder.
struct AdapterFacts {
  std::string method;            ///< "lora", "rslora", "shira"
  std::size_t modules = 0;       ///< with factors or sparse values
  std::size_t replaced = 0;      ///< tensors that it has whole
  std::uint64_t folder_bytes = 0;
};

struct CommitReport {
  ObjectId commit;
  bool unchanged = false;         ///< the branch's head was this very checkpoint: nothing was written
  WrittenDelta delta;
  Alignment alignment;            ///< of a folder
  std::size_t castable = 0;       ///< tensors of a folder in a wider dtype than the base's (see DTypeChoice)
  std::uint64_t folder_bytes = 0; ///< what a full copy takes
  std::uint64_t stored_bytes = 0; ///< new in the store, everything counted
  std::optional<AdapterFacts> adapter{};
};

enum class DTypeChoice {
  keep,  ///< a tensor saved in another dtype than the base's is stored whole
  base,  ///< it is cast to the base's dtype first (to nearest, ties to even)
};

struct FolderCommit {
  ObjectId base;  ///< a base commit, or a task whose base is meant
  std::string message;
  std::map<std::string, std::string> name_map;
  DTypeChoice dtype = DTypeChoice::keep;
  bool allow_unaligned = false;
  Profile profile = Profile::compact;
};

/// Whatever is in a changed folder as a task. A later checkout gives every file back byte for byte (with DTypeChoice::base
/// the shards are those of the cast model). Error{conflict} if nothing of the folder matches the base.
CommitReport commit_folder(Repository& repository, const CheckpointFolder& folder, const FolderCommit& options,
                           const RefName& branch, const Committer& committer, const Progress& progress);

/// After a commit of a checked-out folder: its record says that this is what is checked out now.
void record_committed_folder(const Repository& repository, const CheckpointFolder& folder, const ObjectId& commit, const RefName& branch);

/// A finished training that waits in `staged/NAME` (spec/repository.md, "Stages").
struct Stage {
  std::string name;
  std::string folder;
  ObjectId base;  ///< the commit it was trained from
  std::string base_prefix;
  std::map<std::string, std::string> training;
  std::vector<Metric> metrics;
};

/// Makes what the trainer left in `folder` durable and publishes it as the stage `name`, replacing an older one.
void publish_stage(Repository& repository, const std::string& folder, const RefName& name, const ObjectId& base);
std::vector<std::string> list_stages(const Repository& repository);
Stage read_stage(const Repository& repository, const RefName& name);
/// Commits the stage to the branch of its name and removes it.
CommitReport commit_stage(Repository& repository, const Stage& stage, const std::string& message, const Committer& committer,
                          const Progress& progress, Profile profile = Profile::compact);

}  // namespace dstore
