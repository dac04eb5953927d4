#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/model/parameters.h"
#include "trainer/optim/gradient.h"
#include "trainer/optim/sampled_product.h"

namespace dstore {

/// The gradients of chosen entries. Few entries of a linear layer's weight cost a dot product each, of what goes into the layer with what comes
/// back; the whole gradient is then never made. Others are picked from it.
class SampledGradients {
 public:
  explicit SampledGradients(std::size_t parameters) : samples_(parameters) {}

  /// Whether the parameter's whole gradient need not be made.
  bool choose(std::size_t index, const Parameter& parameter, std::span<const std::uint32_t> entries, bool on_cpu);
  void forget(std::size_t index) { samples_[index] = {}; }
  /// All sums are zero again.
  void begin();
  bool watches(std::size_t index) const { return samples_[index].direct; }
  /// Adds to the sums in backward; this must outlive the graph.
  void watch(std::size_t index, const at::Tensor& inputs, at::Tensor& outputs);
  /// Backward is over: lets go of what it keeps of its tensors.
  void end();
  /// From a whole gradient, where there is one.
  void pick(std::size_t index, const Gradient& gradient);
  std::span<const float> values(std::size_t index) const { return samples_[index].values; }

 private:
  struct Sample {
    std::vector<std::uint32_t> entries;
    std::vector<float> values;
    bool direct = false;
  };
  void add(Sample& sample, const at::Tensor& inputs, const at::Tensor& gradient);

  std::vector<Sample> samples_;
  at::Tensor last_inputs_;  ///< those that inputs_ has: queries, keys and values have the same
  TokenColumns inputs_, gradient_;
};

}  // namespace dstore
