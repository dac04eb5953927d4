#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dstore/tensor.h"

namespace dstore {

/// A tensor of a model that a program holds in its own memory: raw little-endian, row-major elements of `info`.
struct ResidentTensor {
  TensorInfo info;
  std::span<std::byte> bytes;
};

/// A task decoded and verified, ready to be put on a model in memory and taken off again. Small: positions and values of what changes.
/// Immutable; may be used with several models and from several threads.
class ResidentTask {
 public:
  /// The task that `revision` names, or computes, in the repository at or above `directory`. `base` holds the base's weights now, all of its tensors
  /// under the base's names; it is only read. Signatures and every block of the difference are verified against it.
  /// Error{conflict} where it is another base; {unsupported} where the task gives a tensor another shape or dtype.
  static ResidentTask load(const std::string& directory, const std::string& revision, const std::vector<ResidentTensor>& base);

  ~ResidentTask();
  ResidentTask(ResidentTask&&) noexcept;
  ResidentTask& operator=(ResidentTask&&) noexcept;

  std::uint64_t changed() const;  ///< elements
  std::uint64_t bytes() const;    ///< of memory
  /// Tensors that only the task has (heads), by name: not put anywhere; read them with open_model() in dstore/model.h.
  const std::vector<std::string>& added() const;

 private:
  friend class ResidentModel;
  struct State;
  explicit ResidentTask(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A model in memory and the one task that is on it. Every change is checked by block checksums before it is written and happens whole
/// or not at all; undo() gives the very bits back. Not thread-safe; who reads the tensors meanwhile sees a mixture.
class ResidentModel {
 public:
  /// The memory must outlive it. The same tensors, in the same order, as those that the tasks were loaded with.
  explicit ResidentModel(std::vector<ResidentTensor> tensors);

  /// Error{conflict}, and nothing changes, if a task is applied already or a value that would be overwritten is not the base's.
  /// `task` must live until it is undone.
  void apply(const ResidentTask& task);
  /// Error{conflict}, and nothing changes, if no task is applied or what it wrote was changed since.
  void undo();
  /// undo() where a task is applied, and apply(); with an error the model is as it was.
  void switch_to(const ResidentTask& task);
  const ResidentTask* applied() const { return applied_; }

 private:
  void check_fits(const ResidentTask& task) const;

  std::vector<std::span<std::byte>> arrays_;
  std::vector<TensorInfo> infos_;
  std::vector<std::byte> undo_;
  const ResidentTask* applied_ = nullptr;
};

}  // namespace dstore
