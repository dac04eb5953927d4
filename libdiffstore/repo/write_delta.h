#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "object/delta_table.h"
#include "repo/align.h"
#include "repo/change_source.h"
#include "repo/stored_weights.h"

namespace dstore {

/// done, total: bytes of the result looked at.
using Progress = std::function<void(std::uint64_t, std::uint64_t)>;

/// Looks on while a difference is made.
class TaskViewer {
 public:
  virtual ~TaskViewer() = default;
  /// Places of all pairs, each once: the order in which the task is made, and its segments are filled.
  virtual std::vector<std::size_t> order() const = 0;
  /// Whether take() is to be called, also for pieces that are the base's.
  virtual bool wants_pieces() const { return false; }
  /// Each piece of the task that is made from a tensor of the base: the place of its pair, where in the tensor it starts, its bytes. One call at
  /// a time, each tensor from its start.
  virtual void take(std::size_t pair, std::uint64_t offset, ByteSpan bytes) { (void)pair, (void)offset, (void)bytes; }
};

struct WrittenDelta {
  DeltaTable table;
  ObjectId id;
  std::uint64_t changed = 0;        ///< units (elements) whose values the segments hold
  std::uint64_t base_elements = 0;  ///< units in the base
  std::uint64_t added_bytes = 0;    ///< raw bytes of tensors stored whole
  std::uint64_t segment_bytes = 0;
};

/// Compares, encodes and stores the difference between a base and a task, in memory bounded by the thread count; every
/// piece is decoded again and compared before it is stored. `pairs` says what is what: base tensors in no pair are
/// removed. `low_rank` has factors for task tensors (by name) of the dtype and shape of their base: where the factors and
/// the difference that they leave take less than the difference without them, they are stored; they need not be exact.
/// Error{invalid_argument} where factors do not fit or give a NaN. `changes` says what `task` makes of the base, where that is
/// known: then only pieces that change are read, and the sparse ones never made whole. The result is a function of the contents alone.
WrittenDelta write_delta(PackSession& session, const StoredWeights& base, const TensorSource& task, const std::vector<Pairing>& pairs,
                         unsigned threads, const Progress& progress, const std::map<std::string, LowRankFactors>& low_rank = {},
                         const ChangeSource* changes = nullptr, TaskViewer* viewer = nullptr);

/// Stores a tensor whole; returns its id.
ObjectId write_tensor(PackSession& session, const TensorSource& source, std::size_t index);
/// Stores a header or small file; returns the file object's id.
ObjectId write_file(PackSession& session, ByteSpan content);
/// Stores a file of any size, chunk by chunk.
ObjectId write_file(PackSession& session, File& file);

}  // namespace dstore
