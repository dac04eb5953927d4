#pragma once

#include <functional>

#include "repo/model_files.h"

namespace dstore {

/// Produces the bytes of a shard in order: header, then every tensor. Chunks are read, patched and checked on all
/// cores while `sink` (one call at a time) takes the ones before; memory is a few chunks a thread. Every tensor of the
/// result is proved against its id before the last byte is handed out; Error{corrupt} names the tensor.
/// Returns the SHA-256 of the whole file; Error{corrupt} if it is not the recorded one.
ObjectId stream_shard(const StoredWeights& weights, const ShardFile& shard, unsigned threads,
                      const std::function<void(ByteSpan)>& sink);

/// SHA-256 of a shard whose tensors come from anywhere (a commit that is being made).
ObjectId hash_shard(const TensorSource& source, const SafetensorsHeader& header, unsigned threads);

}  // namespace dstore
