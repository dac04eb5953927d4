#pragma once

#include <string>

#include "object/checkpoint_table.h"
#include "repo/publish.h"
#include "repo/write_delta.h"
#include "tensor/checkpoint_folder.h"

namespace dstore {

struct ImportReport {
  ObjectId commit;
  ObjectId weights;
  bool unchanged = false;         ///< the branch's head was this very checkpoint: nothing was written
  std::uint64_t folder_bytes = 0;
  std::uint64_t stored_bytes = 0; ///< new in the store
  std::size_t tensors = 0;
  std::size_t shards = 0;
  std::size_t side_files = 0;
};

/// A base checkpoint as a commit on `branch`. Profile::fast stores its chunks as they are, Profile::compact by planes; what the
/// store has already stays as it is stored.
ImportReport import_folder(Repository& repository, const CheckpointFolder& folder, const RefName& branch,
                           const std::string& message, const Committer& committer, const Progress& progress,
                           Profile profile = Profile::fast);

/// Stores headers and side files of a folder. The weights id and the shards' digests are the caller's to set.
/// What the shards' files look like; compared before a commit, so that a folder somebody still writes to is refused.
std::vector<FileInfo> shard_stamps(Filesystem& fs, const CheckpointFolder& folder);
/// Error{conflict} unless the files are as they were.
void require_same_shards(Filesystem& fs, const CheckpointFolder& folder, const std::vector<FileInfo>& before);
CheckpointTable write_folder_files(PackSession& session, Filesystem& fs, const CheckpointFolder& folder);

}  // namespace dstore
