#include "trainer/methods/node_phase.h"

#include <algorithm>

#include "trainer/optim/adamw.h"

namespace dstore {

NodePhase::NodePhase(Network& network, const MethodOptions& options, std::vector<LinearNodes> linears)
    : network_(network), options_(options), linears_(std::move(linears)) {
  std::size_t count = 0;
  for (const LinearNodes& linear : linears_) {
    network.split_linear(linear.weight, linear.bias, linear.learners);
    count += linear.learners.size() * (network.parameters()[linear.weight].width() + 1);
  }
  m_.assign(count, 0.0f);
  v_.assign(count, 0.0f);
}

/// body(row), in a fixed order.
template <typename Body>
void NodePhase::for_each_row(const Body& body) {
  std::size_t at = 0;
  for (const LinearNodes& linear : linears_) {
    for (const std::size_t index : {linear.weight, linear.bias}) {
      const std::size_t width = index == linear.weight ? network_.parameters()[index].width() : 1;
      const std::span<float> values = network_.values(index);
      for (const std::uint32_t node : linear.learners) {
        body(Row{index, node, values.subspan(node * width, width), at});
        at += width;
      }
    }
  }
}

std::span<const float> NodePhase::gradient(const Row& row) const {
  return {network_.gradient(row.parameter).run(row.node).gradient, row.values.size()};
}

double NodePhase::gradient_norm_squared() {
  double total = 0;
  for_each_row([&](const Row& row) { total += squared_norm(gradient(row)); });
  return total;
}

void NodePhase::update(long step, double factor, double scale) {
  AdamW settings{options_.lr * factor, 0.9, 0.999, 1e-8, options_.weight_decay};
  const AdamWStep weights = AdamWStep::at(settings, step + 1, scale);
  settings.weight_decay = 0;
  const AdamWStep biases = AdamWStep::at(settings, step + 1, scale);
  for_each_row([&](const Row& row) {
    const auto part = [&](std::vector<float>& all) { return std::span(all).subspan(row.at, row.values.size()); };
    const bool weight = role_info(network_.parameters()[row.parameter].role).kind == RoleKind::weight;
    adamw_update(row.values, part(m_), part(v_), gradient(row), weight ? weights : biases);
  });
}

void NodePhase::keep_best() {
  best_.clear();
  for_each_row([&](const Row& row) { best_.insert(best_.end(), row.values.begin(), row.values.end()); });
}

void NodePhase::restore_best() {
  if (best_.empty()) return;
  for_each_row([&](const Row& row) { std::copy_n(best_.begin() + static_cast<std::ptrdiff_t>(row.at), row.values.size(), row.values.begin()); });
  network_.values_changed();
}

void NodePhase::exchange_state(StateArchive& archive) {
  for_each_row([&](const Row& row) { archive.array("nodes.values", row.values); });
  archive.array("nodes.m", std::span(m_));
  archive.array("nodes.v", std::span(v_));
  archive.list("nodes.best", best_, m_.size());
  StateArchive::require(best_.empty() || best_.size() == m_.size(), "nodes.best");
  if (archive.reading()) network_.values_changed();
}

}  // namespace dstore
