#include "trainer/methods/dense_optimizer.h"

#include <algorithm>

#include "trainer/optim/threads.h"

namespace dstore {
namespace {

/// body(first, count, touched) for neighbouring rows of one kind; without rows all elements are one touched run.
template <typename Body>
void for_each_run(std::size_t elements, const std::vector<std::uint8_t>& touched, const Body& body) {
  if (touched.empty()) return body(0, elements, true);
  const std::size_t width = elements / touched.size();
  for (std::size_t begin = 0, end = 0; begin < touched.size(); begin = end) {
    while (end < touched.size() && touched[end] == touched[begin]) ++end;
    body(begin * width, (end - begin) * width, touched[begin] != 0);
  }
}

}  // namespace

DenseOptimizer::DenseOptimizer(Network& network, std::vector<std::size_t> indices, const MethodOptions& options)
    : network_(network), indices_(std::move(indices)) {
  for (const std::size_t index : indices_) {
    const Parameter& p = network.parameters()[index];
    State state{ZeroedFloats(p.count), ZeroedFloats(p.count), {}, {}};
    if (p.by_rows()) state.touched.assign(p.rows(), 0);
    state.settings.lr = p.is_head ? options.head_lr : options.lr;
    state.settings.weight_decay = role_info(p.role).kind == RoleKind::weight ? options.weight_decay : 0;
    states_.push_back(std::move(state));
  }
}

void DenseOptimizer::regularise(const ValuesCopy& base, double weight) {
  l1_ = static_cast<float>(weight);
  for (std::size_t i = 0; i < indices_.size(); ++i) {
    const std::span<const float> values = base.values(indices_[i]);
    if (weight <= 0 || values.empty()) continue;
    states_[i].base = values.data();
    const float* now = network_.values(indices_[i]).data();
    const std::size_t width = network_.parameters()[indices_[i]].width();
    for (std::size_t r = 0; r < states_[i].touched.size(); ++r) {
      states_[i].touched[r] |= !std::equal(now + r * width, now + (r + 1) * width, values.data() + r * width);
    }
  }
}

bool DenseOptimizer::is_zero(const State& state, const Gradient& gradient, std::size_t run) const {
  return gradient.row_is_zero(run) && !(state.base != nullptr && state.touched[run]);
}

const float* DenseOptimizer::full_gradient(std::size_t i, const Gradient::Run& run, std::vector<float>& buffer) const {
  const float* base = states_[i].base;
  if (base == nullptr) return run.gradient;
  const float* values = network_.values(indices_[i]).data() + run.first;
  buffer.assign(run.gradient, run.gradient + run.count);
  for (std::size_t j = 0; j < run.count; ++j) buffer[j] += l1_gradient(values[j], base[run.first + j], l1_);
  return buffer.data();
}

double DenseOptimizer::gradient_norm_squared() const {
  double total = 0;
  for (std::size_t i = 0; i < indices_.size(); ++i) {
    const Gradient gradient = network_.gradient(indices_[i]);
    std::vector<double> sums(gradient.runs());
    parallel_ranges(sums.size(), 16, [&](std::size_t begin, std::size_t end) {
      std::vector<float> buffer;
      for (std::size_t r = begin; r < end; ++r) {
        if (is_zero(states_[i], gradient, r)) continue;
        const Gradient::Run run = gradient.run(r);
        sums[r] = squared_norm({full_gradient(i, run, buffer), run.count});
      }
    });
    for (const double sum : sums) total += sum;
  }
  return total;
}

void DenseOptimizer::update(long step, double factor, double scale) {
  for (std::size_t i = 0; i < indices_.size(); ++i) {
    AdamW settings = states_[i].settings;
    settings.lr *= factor;
    update_one(i, AdamWStep::at(settings, step + 1, scale));
  }
}

void DenseOptimizer::update_one(std::size_t i, const AdamWStep& step) {
  State& state = states_[i];
  const Gradient gradient = network_.gradient(indices_[i]);
  const std::span<float> values = network_.values(indices_[i]);
  parallel_ranges(gradient.runs(), 16, [&](std::size_t begin, std::size_t end) {
    std::vector<float> buffer;
    for (std::size_t r = begin; r < end; ++r) {
      const Gradient::Run run = gradient.run(r);
      const auto part = [&](std::span<float> all) { return all.subspan(run.first, run.count); };
      if (gradient.is_by_rows()) {
        state.touched[r] |= !gradient.row_is_zero(r);
        if (!state.touched[r]) {
          decay_only(part(values), step);
          continue;
        }
      }
      adamw_update(part(values), part(state.m.span()), part(state.v.span()), {full_gradient(i, run, buffer), run.count}, step);
    }
  });
}

void DenseOptimizer::exchange_state(StateArchive& archive) {
  for (std::size_t i = 0; i < indices_.size(); ++i) {
    State& state = states_[i];
    const std::span<float> values = network_.values(indices_[i]);
    archive.array("dense.touched", std::span(state.touched));
    for_each_run(values.size(), state.touched, [&](std::size_t first, std::size_t count, bool touched) {
      archive.array("dense.values", values.subspan(first, count));
      if (!touched) return;  // moments that are zero stay without memory
      archive.array("dense.m", state.m.span().subspan(first, count));
      archive.array("dense.v", state.v.span().subspan(first, count));
    });
  }
  if (archive.reading()) network_.values_changed();
}

void ValuesCopy::keep(Network& network, const std::vector<std::size_t>& indices) {
  indices_ = indices;
  values_.resize(indices.size());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const std::span<float> values = network.values(indices[i]);
    values_[i].assign(values.begin(), values.end());
  }
}

std::span<const float> ValuesCopy::values(std::size_t index) const {
  for (std::size_t i = 0; i < indices_.size(); ++i) {
    if (indices_[i] == index) return values_[i];
  }
  return {};
}

void ValuesCopy::exchange_state(StateArchive& archive, const Network& network) {
  archive.list("best.indices", indices_, network.parameters().size());
  values_.resize(indices_.size());
  for (std::size_t i = 0; i < indices_.size(); ++i) {
    StateArchive::require(indices_[i] < network.parameters().size(), "best.indices");
    values_[i].resize(network.parameters()[indices_[i]].count);
    archive.array("best.values", std::span(values_[i]));
  }
}

void ValuesCopy::restore(Network& network) const {
  for (std::size_t i = 0; i < indices_.size(); ++i) {
    std::copy(values_[i].begin(), values_[i].end(), network.values(indices_[i]).begin());
  }
  network.values_changed();
}

}  // namespace dstore
