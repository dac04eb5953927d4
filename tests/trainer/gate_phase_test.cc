// Diff pruning's first stage: fifty steps of the fused passes beside the same written out with autograd in double, and rows that share one
// gate beside rows that each have their own.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/sigmoid.h>

#include <cmath>

#include "catch.h"
#include "tests/trainer/gate_probe.h"
#include "tests/trainer/run_by_hand.h"

using namespace dstore;
using namespace dstore::test;

namespace {

constexpr std::uint64_t kSeed = 5;

struct Case {
  const char* name;
  GateSettings settings;
  double clip;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const double clip : {0.0, 0.05}) {
    all.push_back({"no groups", {.groups = false}, clip});
    all.push_back({"groups, sum", {}, clip});
    all.push_back({"groups, product", {.product = true}, clip});
    all.push_back({"lambdas by layer, sum", {.penalties = {1e-2, 1e-4, 1e-3, 1e-5}}, clip});
    all.push_back({"lambdas by layer, product", {.alpha_init = 1, .penalties = {1e-2, 1e-4, 1e-3, 1e-5}, .product = true}, clip});
  }
  return all;
}

MethodOptions options_of(const Case& c) {
  MethodOptions options;
  options.lr = 1e-3;
  options.head_lr = 1e-2;
  options.clip = c.clip;
  options.seed = kSeed;
  return options;
}

std::vector<std::size_t> heads(const Network& network) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    if (network.parameters()[i].is_head) indices.push_back(i);
  }
  return indices;
}

template <typename Value>
at::Tensor doubles(std::size_t count, const Value& value) {
  at::Tensor tensor = at::empty({static_cast<std::int64_t>(count)}, at::TensorOptions().dtype(at::kDouble));
  double* out = tensor.mutable_data_ptr<double>();
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<double>(value(i));
  return tensor;
}

/// A leaf and its AdamW moments.
struct Trained {
  explicit Trained(const at::Tensor& start) : x(start.clone().requires_grad_()), m(start * 0), v(start * 0) {}
  double squares() const { return x.grad().pow(2).sum().item<double>(); }
  void update(double lr, double scale, long t) {
    const at::Tensor g = x.grad() * scale;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const at::Tensor step = lr * (m / (1 - std::pow(0.9, t))) / ((v / (1 - std::pow(0.999, t))).sqrt() + 1e-8);
    x = (x.detach() - step).requires_grad_();
  }
  at::Tensor x, m, v;
};

/// As the paper writes it, one tensor.
class Composed {
 public:
  Composed(Network& network, std::size_t index, const GateSettings& settings, double lambda)
      : index_(index), count_(network.parameters()[index].count), groups_(settings.groups), product_(settings.product), lambda_(lambda),
        base_(doubles(count_, [&](std::size_t i) { return network.values(index)[i]; })), w(base_ * 0), alpha(base_ * 0 + settings.alpha_init),
        group(doubles(1, [&](std::size_t) { return settings.alpha_init; })) {}

  /// theta of the noise of `step`.
  at::Tensor theta(long step) const { return base_ + gate(group.x, step, 0x80000000u | number(), 1, groups_) * gate(alpha.x, step, number(), count_, true) * w.x; }
  void backward(const Gradient& gradient, long step) {
    const double shift = std::log(static_cast<double>(-kGateLow / kGateHigh));
    const at::Tensor open = at::sigmoid(alpha.x - shift), open_group = at::sigmoid(group.x - shift);
    at::Tensor penalty = product_ ? (open_group * open).sum() : open.sum() + (groups_ ? open_group.sum() : open_group.sum() * 0);
    ((doubles(count_, [&](std::size_t i) { return gradient.at(i); }) * theta(step)).sum() + lambda_ * penalty).backward();
  }

 private:
  std::uint32_t number() const { return static_cast<std::uint32_t>(index_); }
  static at::Tensor gate(const at::Tensor& alpha, long step, std::uint32_t tensor, std::size_t count, bool there) {
    if (!there) return alpha * 0 + 1;
    const Philox noise(kSeed, RandomStream::gate_noise, static_cast<std::uint32_t>(step), tensor);
    const at::Tensor u = doubles(count, [&](std::size_t i) { return std::min(std::max(noise.uniform(i), kNoiseMargin), 1 - kNoiseMargin); });
    return at::clamp(at::sigmoid(u.log() - (1 - u).log() + alpha) * (kGateHigh - kGateLow) + kGateLow, 0, 1);
  }

  std::size_t index_, count_;
  bool groups_, product_;
  double lambda_;
  at::Tensor base_;

 public:
  Trained w, alpha, group;
};

double lambda_of(const GateSettings& settings, const Parameter& p) {
  const auto& all = settings.penalties;
  if (all.size() == 1) return all[0];
  return p.layer >= 0 ? all[static_cast<std::size_t>(p.layer) + 1] : role_info(p.role).part == RolePart::embedding ? all.front() : all.back();
}

}  // namespace

TEST_CASE("fifty fused steps equal a dense reference made with autograd") {
  for (const Case& c : cases()) {
    INFO(c.name << ", clip " << c.clip);
    Run run(find_method("diff-pruning"));
    Network& network = run.network();
    const MethodOptions options = options_of(c);
    std::vector<Composed> reference;
    std::vector<std::size_t> body;
    for (std::size_t i = 0; i < network.parameters().size(); ++i) {
      if (network.parameters()[i].is_head) continue;
      body.push_back(i);
      reference.emplace_back(network, i, c.settings, lambda_of(c.settings, network.parameters()[i]));
    }
    GatePhase phase(network, options, c.settings);
    DenseOptimizer head(network, heads(network), options);
    for (long step = 0; step < 50; ++step) {
      run.gradients(network, step);  // of what the fused passes wrote: equal gradients for both
      double w_norm = head.gradient_norm_squared(), alpha_norm = 0;
      for (std::size_t i = 0; i < body.size(); ++i) {
        reference[i].backward(network.gradient(body[i]), step);
        w_norm += reference[i].w.squares();
        alpha_norm += reference[i].alpha.squares() + reference[i].group.squares();
      }
      for (Composed& t : reference) {
        t.w.update(options.lr, clip_scale(w_norm, c.clip), step + 1);
        t.alpha.update(c.settings.gate_lr, clip_scale(alpha_norm, c.clip), step + 1);
        if (c.settings.groups) t.group.update(c.settings.gate_lr, clip_scale(alpha_norm, c.clip), step + 1);
        t.group.x.mutable_grad().reset();
      }
      phase.step({step, step, 50}, head, 1);
    }
    double worst = 0, moved = 0;
    for (std::size_t i = 0; i < body.size(); ++i) {
      const at::Tensor expected = reference[i].theta(50).detach();
      for (std::size_t j = 0; j < network.parameters()[body[i]].count; ++j) {
        const double value = static_cast<double>(network.values(body[i])[j]);
        worst = std::max(worst, std::abs(value - expected.const_data_ptr<double>()[j]));
        moved = std::max(moved, std::abs(reference[i].w.x.const_data_ptr<double>()[j]));
      }
    }
    CHECK(worst < 1e-6);
    CHECK(moved > 1e-2);
  }
}

TEST_CASE("rows without a gradient that share one gate are as rows that each have their own, bit for bit") {
  for (const Case& c : cases()) {
    INFO(c.name << ", clip " << c.clip);
    const MethodOptions options = options_of(c);
    const auto train = [&](bool eager) {
      Run run(find_method("diff-pruning"));
      Network& network = run.network();
      GatePhase phase(network, options, c.settings);
      if (eager) GatePhaseProbe::activate_all(phase, network, static_cast<float>(c.settings.alpha_init));
      DenseOptimizer head(network, heads(network), options);
      std::vector<float> all;
      for (long step = 0; step < 30; ++step) {
        run.gradients(network, step);
        phase.step({step, step, 30}, head, 1);
      }
      std::size_t lazy = 0;
      for (auto& t : GatePhaseProbe::tensors(phase)) {
        const std::span<const float> values = network.values(t.index);
        all.insert(all.end(), values.begin(), values.end());
        for (std::size_t i = 0; i < t.count; ++i) {
          const bool own = t.row_width == 0 || t.active[i / t.row_width];
          lazy += !own;
          all.push_back(own ? t.alpha.data()[i] : t.shared.alpha);
          all.push_back(own ? t.w.data()[i] : 0);
        }
        all.insert(all.end(), std::begin(t.group_alpha), std::end(t.group_alpha));
      }
      for (const Reading& reading : phase.readings()) all.push_back(static_cast<float>(reading.value));
      CHECK((lazy > 0) == !eager);
      return all;
    };
    CHECK(train(false) == train(true));
  }
}

TEST_CASE("the projection starts from the expected difference or from w") {
  Run run(find_method("diff-pruning"));
  Network& network = run.network();
  const GateSettings half_open{.alpha_init = 0.5};
  const MethodOptions options = options_of({"", half_open, 1});
  GatePhase phase(network, options, half_open);
  DenseOptimizer head(network, heads(network), options);
  for (long step = 0; step < 10; ++step) {
    run.gradients(network, step);
    phase.step({step, step, 10}, head, 1);
  }
  const GatePhase::Projection deltas = phase.project(500), ws = phase.project(500, false);
  CHECK(deltas.indices == ws.indices);
  auto& tensors = GatePhaseProbe::tensors(phase);
  std::size_t differ = 0;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    for (std::size_t i = 0; i < ws.indices[t].size(); ++i) {
      const std::uint32_t at = ws.indices[t][i];
      const double w = static_cast<double>(tensors[t].w.data()[at]), start = static_cast<double>(tensors[t].base.data()[at]);
      const double z = expected_gate(static_cast<double>(tensors[t].alpha.data()[at])), group = expected_gate(static_cast<double>(tensors[t].group_alpha[0]));
      CHECK(static_cast<double>(ws.values[t][i]) == Approx(start + w).margin(1e-6));
      CHECK(static_cast<double>(deltas.values[t][i]) == Approx(start + group * z * w).margin(1e-6));
      differ += ws.values[t][i] != deltas.values[t][i];
    }
  }
  CHECK(differ > 10);
}
