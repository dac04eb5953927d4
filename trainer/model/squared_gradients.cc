#include "trainer/model/squared_gradients.h"

#include "base/parallel.h"

namespace dstore {

SquaredGradients::SquaredGradients(const Network& network, std::vector<std::size_t> parameters) : parameters_(std::move(parameters)) {
  for (const std::size_t index : parameters_) sums_.emplace_back(network.parameters()[index].count);
}

void SquaredGradients::add(const Network& network, double weight) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Gradient gradient = network.gradient(parameters_[i]);
    parallel_for(gradient.runs(), 0, [&](std::size_t r) {
      if (gradient.row_is_zero(r)) return;
      const Gradient::Run run = gradient.run(r);
      double* sum = sums_[i].data() + run.first;
      for (std::size_t j = 0; j < run.count; ++j) sum[j] += weight * (static_cast<double>(run.gradient[j]) * static_cast<double>(run.gradient[j]));
    });
  }
}

}  // namespace dstore
