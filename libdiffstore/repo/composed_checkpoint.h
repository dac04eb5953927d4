#pragma once

#include "repo/compose.h"

namespace dstore {

/// The checkpoint of a task that no folder was given for: the base's shards with the delta put on them (compose_shards), these side files,
/// and an index where one is needed. `result` has every tensor of the result. Side files are stored ones. `full_bytes` grows by the
/// shards' sizes.
CheckpointTable compose_checkpoint(PackSession& session, const std::vector<ShardFile>& base_shards, const DeltaTable& delta, const TensorSource& result,
                                   std::map<std::string, PlainFile> files, std::uint64_t& full_bytes);

}  // namespace dstore
