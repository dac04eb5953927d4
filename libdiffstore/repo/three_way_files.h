#pragma once

#include "repo/model_files.h"
#include "repo/three_way_source.h"

namespace dstore {

/// What both sides did differently to a side file, resolved or not.
struct FileConflict {
  std::string path;
  std::string what;  ///< "changed by both", "changed by ours, removed by theirs", …
};

/// The model whose tensors are `merged`: on the shards of ours, with the side files of the three merged by their digests. Where both sides
/// changed one differently, it is that of `choice`; without one the conflict alone is told.
ModelFiles three_way_files(const PerSide<const ModelFiles*>& files, std::unique_ptr<ThreeWaySource> merged, std::optional<Side> choice, std::vector<FileConflict>& conflicts);

}  // namespace dstore
