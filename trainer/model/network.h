#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dstore/model.h"
#include "trainer/model/parameters.h"
#include "trainer/optim/gradient.h"
#include "trainer/text/batches.h"

namespace dstore {

enum class Device { cpu, cuda };
enum class Precision { fp32, bf16 };

struct NetworkOptions {
  TaskKind task = TaskKind::classification;
  std::uint64_t seed = 0;
  Device device = Device::cpu;
  Precision precision = Precision::fp32;  ///< of the matrix products that gradients come from; values, sums, norms and losses are fp32
  std::size_t accumulate = 1;             ///< parts that a batch's gradients are computed in: the same but for the order of sums
  bool checkpoint_activations = false;    ///< compute each layer again in backward instead of keeping what is in it: the same bits
};

/// A classifier on a base: fp32 values, forward, backward. LibTorch stays behind this header. One thread at a time.
class Network {
 public:
  /// Reads the base's values and draws new tensors (normal with the config's initializer_range, biases zero).
  /// Error{unsupported} where the device is not there.
  Network(const TensorSource& base, ParameterTable table, const NetworkOptions& options);
  ~Network();
  Network(Network&&) noexcept;

  const ParameterTable& table() const;
  const std::vector<Parameter>& parameters() const { return table().parameters; }
  /// Values of parameter `index`; whoever writes calls values_changed() before the next pass.
  std::span<float> values(std::size_t index);
  void values_changed();
  void set_trainable(std::size_t index, bool trainable);
  /// Of a linear layer only these nodes (rows of its weight, entries of its bias; ascending) train from now on, until set_trainable(): the layer runs
  /// as two (split_linear.h), at the cost of a copy of its values. gradient() of both is then by rows. Passes without gradients stay as they are.
  void split_linear(std::size_t weight, std::size_t bias, std::span<const std::uint32_t> nodes);

  /// Mean loss of a batch with dropout drawn for `step` (none: without); leaves the gradients of the trainable parameters.
  double loss_and_gradients(const Batch& batch, std::optional<std::uint32_t> step);
  Gradient gradient(std::size_t index) const;
  /// From now on only the gradients of these entries of parameter `index` are made, until set_trainable(); they ascend.
  void sample(std::size_t index, std::span<const std::uint32_t> entries);
  /// Their gradients, in that order; gradient(index) may be absent.
  std::span<const float> sampled_gradient(std::size_t index) const;
  /// For a batch of one example, without dropout: calls take(weight) for each output, so that the sum of weight times gradient()'s squares is
  /// the example's Fisher information (fisher_terms() in task_loss.h). Classification: weight and gradient are the class's probability and
  /// that of its logarithm.
  void for_each_class(const Batch& batch, const std::function<void(double weight)>& take);
  /// Adds X^T X of what goes into each linear layer, tokens but no padding, without dropout, to sums[index of its weight] ([inputs, inputs]);
  /// the sums of other tensors stay empty.
  void add_grams(const Batch& batch, std::vector<std::vector<double>>& sums);
  /// [rows, outputs] without dropout.
  std::vector<float> logits(const Batch& batch);

 private:
  struct Tensors;
  std::unique_ptr<Tensors> tensors_;
};

/// Facts of this build and machine that equal results depend on.
std::string libtorch_version();
std::string cpu_capability();
/// Whether this processor multiplies bf16 numbers itself.
bool cpu_has_bf16();

}  // namespace dstore
