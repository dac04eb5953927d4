#pragma once

#include <vector>

#include "trainer/methods/method.h"
#include "trainer/optim/adamw.h"
#include "trainer/optim/zeroed.h"

namespace dstore {

/// What weight * |value - base| adds to a gradient.
inline float l1_gradient(float value, float base, float weight) { return value > base ? weight : value < base ? -weight : 0.0f; }

/// The values of some parameters, put aside.
class ValuesCopy {
 public:
  void keep(Network& network, const std::vector<std::size_t>& indices);
  /// Nothing where nothing was kept.
  void restore(Network& network) const;
  void exchange_state(StateArchive& archive, const Network& network);
  /// Of parameter `index`; empty where it was not kept.
  std::span<const float> values(std::size_t index) const;

 private:
  std::vector<std::size_t> indices_;
  std::vector<std::vector<float>> values_;
};

/// AdamW over whole tensors of a network. Rows of word embeddings that never had a gradient cost neither time nor
/// memory: their moments are zero, and all that AdamW does to them is weight decay.
class DenseOptimizer {
 public:
  DenseOptimizer(Network& network, std::vector<std::size_t> indices, const MethodOptions& options);

  /// Of all its gradients, in a fixed order.
  double gradient_norm_squared() const;
  /// One step at `factor` of the peak learning rates; gradients are multiplied with `scale`.
  void update(long step, double factor, double scale);
  const std::vector<std::size_t>& indices() const { return indices_; }
  /// From now on adds `weight` times the L1 norm of the difference from `base`, which must outlive this, to the loss.
  void regularise(const ValuesCopy& base, double weight);
  /// Moments and the network's values.
  void exchange_state(StateArchive& archive);

 private:
  struct State {
    ZeroedFloats m, v;
    std::vector<std::uint8_t> touched;  ///< rows that have had a gradient; empty for tensors not by rows
    AdamW settings;
    const float* base = nullptr;  ///< of the L1 term, null without
  };
  /// Whether the step leaves row `run` of a tensor by rows out of account.
  bool is_zero(const State& state, const Gradient& gradient, std::size_t run) const;
  /// The run's gradient with the L1 term; in `buffer` where there is one.
  const float* full_gradient(std::size_t i, const Gradient::Run& run, std::vector<float>& buffer) const;
  void update_one(std::size_t i, const AdamWStep& step);

  Network& network_;
  std::vector<std::size_t> indices_;
  std::vector<State> states_;
  float l1_ = 0;
};

}  // namespace dstore
