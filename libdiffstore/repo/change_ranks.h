#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "delta/score.h"
#include "dstore/tensor.h"
#include "repo/align.h"

namespace dstore {

/// A number >= 0 for each weight of a task, from outside: its Fisher information.
struct Importance {
  const TensorSource* values = nullptr;  ///< under the task's names or the base's, in the task's shapes
  std::string what;                      ///< for messages: a file's path
};

/// The change from a base to a task, entry by entry: which tensors it is possible to take single entries of, and how they
/// rank (delta/score.h). All sources must outlive it; thread-safe.
class ChangeRanks {
 public:
  /// A tensor that base and task have with one shape and one dtype that this library calculates with, and whose bytes differ
  /// as far as is known without reading them.
  struct Tensor {
    std::string name;  ///< in the task
    std::size_t base = 0, task = 0;
    std::optional<std::size_t> importance;
    DType dtype = DType::f32;
    std::uint64_t units = 0;
  };
  /// A changed tensor that is kept as it is, and why.
  struct Whole {
    std::string name;
    const char* reason;  ///< "new", "reshaped", "another dtype than the base", "no float of 16, 32 or 64 bits"
  };
  struct Block {
    std::uint64_t first = 0;  ///< unit of the tensor
    std::span<const std::uint64_t> ranks;
    std::span<const double> differences;
  };

  /// Error{invalid_argument} if a tensor has no importance, or of another shape.
  ChangeRanks(const TensorSource& base, const TensorSource& task, const std::vector<Pairing>& pairs, const Score& score, Importance importance);

  const std::vector<Tensor>& tensors() const { return tensors_; }  ///< sorted by name
  const std::vector<Whole>& whole() const { return whole_; }
  const TensorSource& base() const { return base_; }
  const TensorSource& task() const { return task_; }

  /// Ranks the units [first, first + count) block by block; nothing is visited where no byte of them differs.
  void read(std::size_t tensor, std::uint64_t first, std::uint64_t count, const std::function<void(const Block&)>& visit) const;
  /// The same for bytes that were read already. A visitor may change the bytes of the blocks that it has seen.
  void rank(std::size_t tensor, std::uint64_t first, ByteSpan before, ByteSpan after, const std::function<void(const Block&)>& visit) const;

 private:
  std::optional<std::size_t> find_importance(const std::string& name, const std::string& base_name, const TensorInfo& info) const;
  void read_importance(const Tensor& tensor, std::uint64_t first, std::span<double> out) const;

  const TensorSource& base_;
  const TensorSource& task_;
  const Score& score_;
  Importance importance_;
  std::vector<Tensor> tensors_;
  std::vector<Whole> whole_;
};

}  // namespace dstore
