#pragma once

#include <ATen/core/Tensor.h>

#include "trainer/model/family.h"

namespace dstore {

class SplitLinear;

/// Draws dropout masks from Philox: the mask of a site is a function of (seed, step, site, element), not of threads.
class Dropout {
 public:
  Dropout() = default;  ///< off: evaluation
  Dropout(std::uint64_t seed, std::uint32_t step) : on_(true), seed_(seed), step_(step) {}
  bool on(double probability) const { return on_ && probability > 0; }
  /// x, or x times a mask of 0 and 1/(1 - probability). Sites are numbered in the order of the calls.
  at::Tensor apply(const at::Tensor& x, double probability);

 private:
  bool on_ = false;
  std::uint64_t seed_ = 0;
  std::uint32_t step_ = 0;
  std::uint32_t site_ = 0;
};

/// One forward pass: what a family's forward function reads, and the logits it writes.
struct EncoderPass {
  const ModelConfig& config;
  /// Every tensor but the word embeddings, by role and layer (layer -1 outside layers).
  at::Tensor (*lookup)(const void* tensors, Role role, std::int64_t layer);
  const void* tensors;
  at::Tensor words;      ///< [rows, width, hidden]: word embeddings of the tokens
  at::Tensor type_ids;   ///< [rows, width] int64
  at::Tensor mask;       ///< [rows, width] int64, 1 on tokens; undefined where there is no padding
  Dropout dropout;
  at::Tensor logits;     ///< result: [rows, outputs]
  /// Called with what goes into each linear layer, [..., inputs], where it is set; then nothing is left out of the last layer.
  void (*see_inputs)(void* viewer, Role weight, std::int64_t layer, const at::Tensor& inputs) = nullptr;
  void* viewer = nullptr;
  /// The linear layer of a weight if it is split (split_linear.h), else null; where it is set.
  const SplitLinear* (*split)(const void* tensors, Role weight, std::int64_t layer) = nullptr;

  at::Tensor operator()(Role role, std::int64_t layer = -1) const { return lookup(tensors, role, layer); }
};

}  // namespace dstore
