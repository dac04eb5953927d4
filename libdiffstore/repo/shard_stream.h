#pragma once

#include <functional>

#include "repo/model_files.h"

namespace dstore {

/// Produces the bytes of a shard: header and every tensor. They are read, patched and checked on all cores and handed to
/// sink(offset in the file, bytes) from there: several calls at once, in no order, each byte once; meanwhile one thread at
/// a time hashes them in order. Memory is threads + 2 buffers of a piece (16 MiB) and what the threads decode with. What
/// the sink got is proved only when the call returns: every tensor of StoredWeights against its id (Error{corrupt} names it), the whole
/// file against the recorded SHA-256.
/// Returns the SHA-256 of the file.
ObjectId stream_shard(const TensorSource& weights, const ShardFile& shard, unsigned threads,
                      const std::function<void(std::uint64_t, ByteSpan)>& sink);

/// The same where the shard's SHA-256 is recorded, faster: that digest of the whole file is the proof, below it only checksums. False if
/// it is another, something is damaged, or none is recorded: then stream_shard(), into an empty file, finds a good copy or says what
/// is damaged.
bool stream_recorded_shard(const TensorSource& weights, const ShardFile& shard, unsigned threads,
                           const std::function<void(std::uint64_t, ByteSpan)>& sink);

/// SHA-256 of a shard whose tensors come from anywhere (a commit that is being made).
ObjectId hash_shard(const TensorSource& source, const SafetensorsHeader& header, unsigned threads);

}  // namespace dstore
