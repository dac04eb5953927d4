#pragma once

#include <functional>

#include "repo/open_task.h"

namespace dstore {

/// A task, committed or computed, beside its base, for what is written from their differences.
class ChangedTensors {
 public:
  struct Tensor {
    std::string name;                 ///< in the task
    std::size_t task = 0;
    std::optional<std::size_t> base;  ///< not set: the base has none
    bool alike = false;               ///< one dtype and shape
  };

  /// Error{invalid_argument} unless the revision is a task.
  ChangedTensors(const Repository& repository, const Revision& revision);

  /// Tensors whose bytes differ from the base's, or that it does not have, by name.
  const std::vector<Tensor>& tensors() const { return tensors_; }
  /// Task name → base name where they differ; base names that the task has not.
  const std::map<std::string, std::string>& renamed() const { return renamed_; }
  const std::vector<std::string>& removed() const { return removed_; }

  const StoredWeights& base() const { return *base_; }
  const StoredWeights& task() const { return opened_.weights(); }
  const TensorInfo& info(const Tensor& tensor) const { return task().tensors()[tensor.task]; }
  const std::vector<CheckedCommit>& commits() const { return opened_.loaded.commits; }
  /// config.json's member `model_type`; empty if there is none.
  std::string model_type() const;

  /// Calls visit(offset, base bytes, task bytes) for one part of an alike tensor after the other.
  void each_part(const Tensor& tensor, const std::function<void(std::uint64_t, ByteSpan, ByteSpan)>& visit) const;

 private:
  const Repository& repository_;
  OpenTask opened_;
  std::unique_ptr<StoredWeights> base_;
  std::vector<Tensor> tensors_;
  std::map<std::string, std::string> renamed_;
  std::vector<std::string> removed_;
};

}  // namespace dstore
