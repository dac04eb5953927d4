#pragma once

#include <vector>

#include "trainer/methods/method.h"

namespace dstore {

/// A linear layer and the nodes of it that train: rows of its weight with their biases.
struct LinearNodes {
  std::size_t weight, bias;
  std::uint64_t nodes;
  std::vector<std::uint32_t> learners;  ///< ascending
};

/// Training of some nodes of linear layers. The network runs each layer as two (Network::split_linear), and optimiser state exists only for the
/// learners, so nothing else can move.
class NodePhase {
 public:
  /// The learners start from the network's values.
  NodePhase(Network& network, const MethodOptions& options, std::vector<LinearNodes> linears);

  /// Of all the learners' gradients, in a fixed order.
  double gradient_norm_squared();
  /// AdamW at `factor` of the peak rate; weight decay on weights, none on biases.
  void update(long step, double factor, double scale);
  void keep_best();
  void restore_best();
  std::uint64_t selected() const { return m_.size(); }
  /// All but the learners, with which a phase is made.
  void exchange_state(StateArchive& archive);

 private:
  /// One learner's weights, or its bias: `at` says where they stand among those of all learners.
  struct Row {
    std::size_t parameter;
    std::uint32_t node;
    std::span<float> values;
    std::size_t at;
  };
  template <typename Body>
  void for_each_row(const Body& body);
  std::span<const float> gradient(const Row& row) const;

  Network& network_;
  MethodOptions options_;
  std::vector<LinearNodes> linears_;
  std::vector<float> m_, v_, best_;  ///< of all learners
};

}  // namespace dstore
