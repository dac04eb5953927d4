#include "trainer/methods/gate_phase.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "trainer/optim/adamw_lane.h"
#include "trainer/optim/threads.h"

namespace dstore {
namespace {

/// Noise of group gates: one element of a tensor number that no parameter has.
constexpr std::uint32_t kGroupTensor = 0x80000000u;
constexpr std::size_t kGrain = 8;

/// Of the embeddings, a layer or the rest: where its lambda stands.
std::size_t penalty_index(const Parameter& p, std::size_t count) {
  const RolePart part = role_info(p.role).part;
  return count == 1 || part == RolePart::embedding ? 0 : part == RolePart::layer ? static_cast<std::size_t>(p.layer) + 1 : count - 1;
}

/// A row of the gate that inactive rows share, without gradient or difference.
struct SharedRun {
  SharedRun(std::size_t width, float shared_alpha) : zeros(width), alpha(width, shared_alpha) {}
  /// As if it began at element `first`.
  GateRun at(std::size_t first) { return {.count = zeros.size(), .first = first, .w = zeros.data(), .alpha = alpha.data()}; }
  std::vector<float> zeros, alpha;
};

}  // namespace

GatePenalty gate_penalty(double lambda, bool product, double group, double open) {
  const double slope = lambda * group * (1 - group);
  return product ? GatePenalty{lambda * group, slope * open} : GatePenalty{lambda, slope};
}

GatePhase::GatePhase(Network& network, const MethodOptions& options, const GateSettings& settings)
    : network_(network), options_(options), settings_(settings) {
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    const Parameter& p = network.parameters()[i];
    if (p.is_head || !p.trainable) continue;
    Gated t{i, p.count, p.by_rows() ? p.width() : 0, ZeroedFloats(p.count), ZeroedFloats(p.count), ZeroedFloats(p.count),
            ZeroedFloats(p.count), ZeroedFloats(p.count), ZeroedFloats(p.count), ZeroedFloats(p.count), {},
            {static_cast<float>(settings.alpha_init), 0, 0}, 1, 0,
            settings.penalties[penalty_index(p, settings.penalties.size())], {static_cast<float>(settings.alpha_init), 0, 0}};
    if (t.row_width != 0) {
      t.active.assign(p.rows(), 0);
    } else {
      std::copy_n(network.values(i).data(), p.count, t.base.data());
      std::fill_n(t.alpha.data(), p.count, static_cast<float>(settings.alpha_init));
    }
    tensors_.push_back(std::move(t));
  }
  draw_groups(0);
}

GateRun GatePhase::run_of(const Gated& t, std::size_t first, std::size_t count) const {
  return {count, first, t.base.data() + first, network_.values(t.index).data() + first, t.w.data() + first, t.alpha.data() + first,
          t.w_m.data() + first, t.w_v.data() + first, t.alpha_m.data() + first, t.alpha_v.data() + first};
}

lanes::NoiseKey GatePhase::noise(const Gated& t, long step) const {
  return {options_.seed, RandomStream::gate_noise, static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(t.index)};
}

std::size_t GatePhase::runs(const Gated& t) const {
  return t.row_width != 0 ? t.active.size() : (t.count + Gradient::kRun - 1) / Gradient::kRun;
}

std::pair<std::size_t, std::size_t> GatePhase::run_range(const Gated& t, std::size_t run) const {
  const std::size_t length = t.row_width != 0 ? t.row_width : Gradient::kRun;
  return {run * length, std::min(length, t.count - run * length)};
}

template <typename Body>
void GatePhase::for_each_active(const Gated& t, const Body& body) const {
  parallel_ranges(runs(t), kGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      if (skipped(t, r)) continue;
      const auto [first, count] = run_range(t, r);
      body(r, first, count);
    }
  });
}

void GatePhase::draw_groups(long step) {
  for (Gated& t : tensors_) {
    if (!settings_.groups) continue;
    const Philox draw(options_.seed, RandomStream::gate_noise, static_cast<std::uint32_t>(step), kGroupTensor | static_cast<std::uint32_t>(t.index));
    const GateSample sample = sample_gate(static_cast<double>(t.group_alpha[0]), draw.uniform(0));
    t.group_z = sample.z;
    t.group_slope = sample.slope;
  }
}

void GatePhase::activate_rows(Gated& t, const Gradient& gradient) {
  if (t.row_width == 0) return;
  for (std::size_t row = 0; row < t.active.size(); ++row) {
    if (t.active[row] || gradient.row_is_zero(row)) continue;
    t.active[row] = 1;
    const std::size_t first = row * t.row_width;
    std::copy_n(network_.values(t.index).data() + first, t.row_width, t.base.data() + first);
    std::fill_n(t.alpha.data() + first, t.row_width, t.shared.alpha);
    std::fill_n(t.alpha_m.data() + first, t.row_width, t.shared.m);
    std::fill_n(t.alpha_v.data() + first, t.row_width, t.shared.v);
  }
}

GateSums GatePhase::sums(const Gated& t, long step, float penalty) const {
  const Gradient gradient = network_.gradient(t.index);
  SharedRun shared(t.row_width, t.shared.alpha);
  std::array<GateSums, 4> inactive;  // by where a row begins in a block of the noise, which decides the order of its sum
  for (std::size_t first = 0; first < inactive.size(); ++first) inactive[first] = gate_sums(shared.at(first), shared.zeros.data(), {}, 1, penalty);
  std::vector<GateSums> parts(runs(t));
  for (std::size_t r = 0; r < parts.size(); ++r) parts[r] = inactive[r * t.row_width % 4];
  for_each_active(t, [&](std::size_t r, std::size_t first, std::size_t count) {
    parts[r] = gate_sums(run_of(t, first, count), gradient.run(r).gradient, noise(t, step), static_cast<float>(t.group_z), penalty);
  });
  GateSums total;
  for (const GateSums& part : parts) {
    total.w += part.w;
    total.alpha += part.alpha;
    total.group += part.group;
  }
  return total;
}

GateStatistics GatePhase::statistics(const Gated& t) const {
  const float group = settings_.groups ? static_cast<float>(expected_gate(static_cast<double>(t.group_alpha[0]))) : 1;
  std::vector<GateStatistics> parts(runs(t), gate_statistics(SharedRun(t.row_width, t.shared.alpha).at(0), group));
  for_each_active(t, [&](std::size_t r, std::size_t first, std::size_t count) { parts[r] = gate_statistics(run_of(t, first, count), group); });
  GateStatistics total;
  for (const GateStatistics& part : parts) {
    total.open += part.open;
    total.nonzero += part.nonzero;
  }
  return total;
}

/// Runs the kernel on one element with no gradient: the same bits that every inactive element would get.
void GatePhase::update_shared_row(Gated& t, const GateStep& step) {
  const float zero = 0;
  float w = 0, theta = 0, w_m = 0, w_v = 0;
  const GateRun one{1, 0, &zero, &theta, &w, &t.shared.alpha, &w_m, &w_v, &t.shared.m, &t.shared.v};
  gate_update(one, &zero, {}, {}, step);
}

void GatePhase::step(const StepInfo& info, DenseOptimizer& head, double factor) {
  double w_norm = head.gradient_norm_squared(), alpha_norm = 0;
  std::vector<double> group_gradients(tensors_.size());
  std::vector<float> penalties(tensors_.size());
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    Gated& t = tensors_[i];
    activate_rows(t, network_.gradient(t.index));
    const GatePenalty penalty = gate_penalty(t.lambda, settings_.product, open_probability(static_cast<double>(t.group_alpha[0])),
                                             settings_.product ? statistics(t).open : 0);
    penalties[i] = static_cast<float>(penalty.entry);
    const GateSums s = sums(t, info.step, penalties[i]);
    group_gradients[i] = settings_.groups ? s.group * t.group_slope + penalty.group : 0;
    w_norm += s.w;
    alpha_norm += s.alpha + group_gradients[i] * group_gradients[i];
  }

  const AdamW w_settings{options_.lr * factor, 0.9, 0.999, 1e-8, 0};
  const AdamW gate_settings{settings_.gate_lr, 0.9, 0.999, settings_.gate_epsilon, 0};
  GateStep step;
  step.w = AdamWStep::at(w_settings, info.phase_step + 1, clip_scale(w_norm, options_.clip));
  step.alpha = AdamWStep::at(gate_settings, info.phase_step + 1, clip_scale(alpha_norm, options_.clip));

  std::vector<double> group_now(tensors_.size());
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    Gated& t = tensors_[i];
    group_now[i] = t.group_z;
    const float g = static_cast<float>(group_gradients[i]) * step.alpha.gradient_scale;
    if (settings_.groups) lanes::adamw(t.group_alpha[0], t.group_alpha[1], t.group_alpha[2], g, step.alpha);
  }
  draw_groups(info.step + 1);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    Gated& t = tensors_[i];
    const Gradient gradient = network_.gradient(t.index);
    step.penalty = penalties[i];
    step.group = static_cast<float>(group_now[i]);
    step.next_group = static_cast<float>(t.group_z);
    for_each_active(t, [&](std::size_t r, std::size_t first, std::size_t count) {
      gate_update(run_of(t, first, count), gradient.run(r).gradient, noise(t, info.step), noise(t, info.step + 1), step);
    });
    if (t.row_width != 0) update_shared_row(t, step);
  }
  head.update(info.phase_step, factor, static_cast<double>(step.w.gradient_scale));
  network_.values_changed();
}

std::vector<Reading> GatePhase::readings() const {
  double open = 0, nonzero = 0, elements = 0;
  for (const Gated& t : tensors_) {
    const GateStatistics part = statistics(t);
    open += part.open;
    nonzero += part.nonzero;
    elements += static_cast<double>(t.count);
  }
  return {{"mean_open", open / elements}, {"nonzero", nonzero / elements}};
}

void GatePhase::exchange_state(StateArchive& archive) {
  for (Gated& t : tensors_) {
    archive.value("gates.shared", t.shared);
    archive.value("gates.group", t.group_alpha);
    archive.value("gates.group_z", t.group_z);
    archive.value("gates.group_slope", t.group_slope);
    archive.array("gates.active", std::span(t.active));
    const std::span<float> theta = network_.values(t.index);
    for (std::size_t r = 0; r < runs(t); ++r) {
      if (skipped(t, r)) continue;
      const auto [first, count] = run_range(t, r);
      if (archive.reading()) std::copy_n(theta.data() + first, count, t.base.data() + first);
      archive.array("gates.theta", theta.subspan(first, count));
      for (const ZeroedFloats* part : {&t.w, &t.alpha, &t.w_m, &t.w_v, &t.alpha_m, &t.alpha_v}) {
        archive.array("gates.part", part->span().subspan(first, count));
      }
    }
  }
  if (archive.reading()) network_.values_changed();
}

void GatePhase::restore_base() {
  for (const Gated& t : tensors_) {
    float* values = network_.values(t.index).data();
    for (std::size_t r = 0; r < runs(t); ++r) {
      if (skipped(t, r)) continue;
      const auto [first, count] = run_range(t, r);
      std::copy_n(t.base.data() + first, count, values + first);
    }
  }
}

}  // namespace dstore
