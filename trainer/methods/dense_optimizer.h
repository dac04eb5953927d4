#pragma once

#include <vector>

#include "trainer/methods/method.h"
#include "trainer/optim/adamw.h"
#include "trainer/optim/zeroed.h"

namespace dstore {

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
  /// Moments and the network's values.
  void exchange_state(StateArchive& archive);

 private:
  struct State {
    ZeroedFloats m, v;
    std::vector<std::uint8_t> touched;  ///< rows that have had a gradient; empty for tensors not by rows
    AdamW settings;
  };
  void update_one(std::size_t i, const AdamWStep& step);

  Network& network_;
  std::vector<std::size_t> indices_;
  std::vector<State> states_;
};

/// The values of some parameters, put aside.
class ValuesCopy {
 public:
  void keep(Network& network, const std::vector<std::size_t>& indices);
  /// Nothing where nothing was kept.
  void restore(Network& network) const;
  void exchange_state(StateArchive& archive, const Network& network);

 private:
  std::vector<std::size_t> indices_;
  std::vector<std::vector<float>> values_;
};

}  // namespace dstore
