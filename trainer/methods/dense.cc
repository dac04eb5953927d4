// full, bitfit, last-layer, head: whole tensors train, the rows differ only in which.
#include <cmath>

#include "trainer/methods/dense_optimizer.h"

namespace dstore {
namespace {

std::vector<std::size_t> trainable_indices(const Network& network) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    if (network.parameters()[i].trainable) indices.push_back(i);
  }
  return indices;
}

class DenseTraining : public Training {
 public:
  DenseTraining(Network& network, const MethodOptions& options)
      : network_(network), options_(options), optimizer_(network, trainable_indices(network), options) {}

  void begin_phase(std::size_t) override {}
  void step(const StepInfo& info) override {
    const long warmup = std::lround(options_.warmup * static_cast<double>(info.phase_steps));
    const double factor = schedule_factor(options_.schedule, info.phase_step, warmup, info.phase_steps);
    const double scale = options_.clip > 0 ? clip_scale(optimizer_.gradient_norm_squared(), options_.clip) : 1;
    optimizer_.update(info.phase_step, factor, scale);
    network_.values_changed();
  }
  void keep_best() override { best_.keep(network_, optimizer_.indices()); }
  void restore_best() override { best_.restore(network_); }
  void exchange_state(StateArchive& archive) override {
    optimizer_.exchange_state(archive);
    best_.exchange_state(archive, network_);
  }
  std::uint64_t selected() const override {
    std::uint64_t total = 0;
    for (const Parameter& p : network_.parameters()) total += p.trainable && !p.is_head ? p.count : 0;
    return total;
  }

 private:
  Network& network_;
  MethodOptions options_;
  DenseOptimizer optimizer_;
  ValuesCopy best_;
};

}  // namespace

std::unique_ptr<Training> start_dense(Network& network, const MethodOptions& options, const Settings&) {
  return std::make_unique<DenseTraining>(network, options);
}

}  // namespace dstore
