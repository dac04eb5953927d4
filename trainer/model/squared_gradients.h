#pragma once

#include <vector>

#include "trainer/model/network.h"

namespace dstore {

/// Sums of squared gradients, one for each entry of some parameters: Fisher information, when every gradient is that of one example's
/// log-probability.
class SquaredGradients {
 public:
  SquaredGradients(const Network& network, std::vector<std::size_t> parameters);
  /// Adds `weight` times the squares of the gradients that the network holds.
  void add(const Network& network, double weight);
  /// Per parameter, as they were given.
  std::vector<std::vector<double>>& sums() { return sums_; }

 private:
  std::vector<std::size_t> parameters_;
  std::vector<std::vector<double>> sums_;
};

}  // namespace dstore
