#pragma once

#include <string>

#include "base/room.h"
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
  std::uint64_t found_bytes = 0;  ///< there already: of an import that was stopped, or of other checkpoints
  std::uint64_t linked_bytes = 0; ///< of chunks that are read from the folder's own files from now on
  std::size_t tensors = 0;
  std::size_t shards = 0;
  std::size_t side_files = 0;
};

struct ImportOptions {
  Profile profile = Profile::fast;  ///< fast stores chunks as they are, compact by planes; what is stored already stays
  bool link = false;                ///< chunks stay in the folder's files (spec/links.md)
  Notice notice{};                  ///< told the sizes of a large import
};

/// A base checkpoint as a commit on `branch`. Chunks that were only linked until now are stored, unless `link`.
ImportReport import_folder(Repository& repository, const CheckpointFolder& folder, const RefName& branch, const std::string& message,
                           const Committer& committer, const Progress& progress, const ImportOptions& options = {});

}  // namespace dstore
