#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "trainer/model/family.h"

namespace dstore {

class SplitLinear;

/// Rows of a batch that a pass computes.
struct RowRange {
  std::int64_t first = 0, count = 0;
};

/// Draws dropout masks from Philox: the mask of a site is a function of (seed, step, site, element of the whole batch), not of threads, nor
/// of the parts that the batch is computed in.
class Dropout {
 public:
  Dropout() = default;  ///< off: evaluation
  Dropout(std::uint64_t seed, std::uint32_t step, RowRange rows = {0, 1}) : on_(true), seed_(seed), step_(step), rows_(rows) {}
  bool on(double probability) const { return on_ && probability > 0; }
  /// x, whose elements are those of the rows in order, or x times a mask of 0 and 1/(1 - probability). Sites are numbered in the order of
  /// the calls.
  at::Tensor apply(const at::Tensor& x, double probability);

 private:
  bool on_ = false;
  std::uint64_t seed_ = 0;
  std::uint32_t step_ = 0;
  RowRange rows_{0, 1};
  std::uint32_t site_ = 0;
};

/// One forward pass: what a family's forward function reads, and the logits it writes.
struct EncoderPass {
  /// A piece of the model; reads nothing that requires a gradient but parameters and x.
  using Section = std::function<at::Tensor(EncoderPass& pass, const at::Tensor& x)>;

  const ModelConfig& config;
  /// Every tensor but the word embeddings, by role and layer (layer -1 outside layers).
  at::Tensor (*lookup)(const void* tensors, Role role, std::int64_t layer);
  const void* tensors;
  at::Tensor words;      ///< [rows, width, hidden]: word embeddings of the tokens
  at::Tensor type_ids;   ///< [rows, width] int64
  at::Tensor mask;       ///< [rows, width] int64, 1 on tokens; undefined where there is no padding
  Dropout dropout;
  at::Tensor logits;     ///< result: [rows, outputs]
  /// Called, where it is set, with what goes into each linear layer and what comes out: [..., inputs] and [..., outputs].
  void (*see_linear)(void* viewer, Role weight, std::int64_t layer, const at::Tensor& inputs, at::Tensor& outputs) = nullptr;
  void* viewer = nullptr;
  bool every_token = false;     ///< leave nothing out of the last layer
  /// The linear layer of a weight if it is split (split_linear.h), else null; where it is set.
  const SplitLinear* (*split)(const void* tensors, Role weight, std::int64_t layer) = nullptr;
  bool bf16 = false;            ///< matrix products in bf16, all else and what they are added to in the values' own type
  bool recompute = false;       ///< sections keep only their inputs and are computed again in backward()

  at::Tensor operator()(Role role, std::int64_t layer = -1) const { return lookup(tensors, role, layer); }
  /// As a factor of a matrix product.
  at::Tensor factor(const at::Tensor& x) const { return bf16 ? x.to(at::kBFloat16) : x; }
  /// A matrix product as the rest of the model takes it.
  at::Tensor product(const at::Tensor& x) const { return bf16 ? x.to(at::kFloat) : x; }
  at::Tensor run(const Section& section, const at::Tensor& x);
  /// From the loss to the leaves, through the sections. Once, where they are recomputed.
  void backward(const at::Tensor& loss);

  struct Kept {
    Section section;
    Dropout dropout;     ///< as the section found it
    at::Tensor above;    ///< its input, with the graph that made it,
    at::Tensor input;    ///< and as a leaf
    at::Tensor output;   ///< a leaf
  };
  std::vector<Kept> kept{};  ///< sections that backward() computes again
};

}  // namespace dstore
