#pragma once

#include <functional>
#include <vector>

#include "base/filesystem.h"
#include "object/delta_table.h"
#include "repo/align.h"
#include "repo/stored_weights.h"

namespace dstore {

/// done, total: bytes of the result looked at.
using Progress = std::function<void(std::uint64_t, std::uint64_t)>;

struct WrittenDelta {
  DeltaTable table;
  ObjectId id;
  std::uint64_t changed = 0;        ///< units (elements) of base tensors that differ
  std::uint64_t base_elements = 0;  ///< units in the base
  std::uint64_t added_bytes = 0;    ///< raw bytes of tensors stored whole
  std::uint64_t segment_bytes = 0;
};

/// Compares, encodes and stores the difference between a base and a task, in memory bounded by the thread count; every
/// piece is decoded again and compared before it is stored. `pairs` says what is what: base tensors in no pair are
/// removed. The result is a function of the contents alone.
WrittenDelta write_delta(PackSession& session, const StoredWeights& base, const TensorSource& task,
                         const std::vector<Pairing>& pairs, unsigned threads, const Progress& progress);

/// Stores a tensor whole; returns its id.
ObjectId write_tensor(PackSession& session, const TensorSource& source, std::size_t index);
/// Stores a header or small file; returns the file object's id.
ObjectId write_file(PackSession& session, ByteSpan content);
/// Stores a file of any size, chunk by chunk.
ObjectId write_file(PackSession& session, File& file);

}  // namespace dstore
