#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace dstore {

/// A linear layer of which only some nodes (rows of its weight with their biases) train. It runs as two dense layers, the frozen one without weight
/// gradient; what they give is put back into the order of the nodes.
class SplitLinear {
 public:
  /// Copies the rows of `weight` [nodes, inputs] and `bias` [nodes]; `learners` ascend.
  SplitLinear(const at::Tensor& weight, const at::Tensor& bias, std::span<const std::uint32_t> learners);

  /// [..., inputs] -> [..., nodes]
  at::Tensor forward(const at::Tensor& x) const;
  /// Takes the learners' values from the whole tensors again.
  void refresh(const at::Tensor& weight, const at::Tensor& bias);

  at::Tensor weight, bias;          ///< of the learners: leaves that require a gradient
  std::vector<std::int32_t> slots;  ///< for each node its row in them, -1 where it is frozen

 private:
  at::Tensor frozen_weight_, frozen_bias_;
  at::Tensor learners_, frozen_;  ///< int64: which nodes
};

}  // namespace dstore
