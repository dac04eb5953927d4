// The gate gradients against autograd of the composed expression, with the same noise.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/sigmoid.h>

#include <cmath>

#include "catch.h"
#include "trainer/optim/hard_concrete.h"

using namespace dstore;

namespace {

at::Tensor doubles(const std::vector<float>& values) {
  at::Tensor tensor = at::empty({static_cast<std::int64_t>(values.size())}, at::TensorOptions().dtype(at::kDouble));
  double* out = tensor.mutable_data_ptr<double>();
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = static_cast<double>(values[i]);
  return tensor;
}

/// z of the paper, from logs and sigmoids as it is written there.
at::Tensor hard_concrete(const at::Tensor& alpha, const at::Tensor& u) {
  const at::Tensor s = at::sigmoid(u.log() - (1 - u).log() + alpha);
  return at::clamp(s * (kGateHigh - kGateLow) + kGateLow, 0, 1);
}

}  // namespace

TEST_CASE("gate gradients equal autograd of the composed expression") {
  constexpr std::size_t n = 4001;
  const lanes::NoiseKey key{3, RandomStream::gate_noise, 9, 1};
  const Philox noise(key.seed, key.stream, key.step, key.tensor), draw(1, RandomStream::sampling);
  std::vector<float> base(n), theta(n), w(n), alpha(n), w_m(n), w_v(n), a_m(n), a_v(n), g(n), u(n);
  for (std::size_t i = 0; i < n; ++i) {
    base[i] = static_cast<float>(draw.normal(4 * i));
    w[i] = static_cast<float>(0.05 * draw.normal(4 * i + 1));
    alpha[i] = static_cast<float>(2 * draw.normal(4 * i + 2));
    g[i] = static_cast<float>(draw.normal(4 * i + 3));
    u[i] = std::min(std::max(noise.uniform(i), kNoiseMargin), 1 - kNoiseMargin);
  }
  const double lambda = 1e-2, group_alpha = 0.4;
  const float group_u = 0.62f;

  const at::Tensor wt = doubles(w).requires_grad_(), at_ = doubles(alpha).requires_grad_(), ag = doubles({static_cast<float>(group_alpha)}).requires_grad_();
  const at::Tensor z_group = hard_concrete(ag, doubles({group_u}));
  const at::Tensor composed = doubles(base) + z_group * hard_concrete(at_, doubles(u)) * wt;
  const double shift = std::log(static_cast<double>(-kGateLow / kGateHigh));
  const at::Tensor loss = (doubles(g) * composed).sum() + lambda * (at::sigmoid(at_ - shift).sum() + at::sigmoid(ag - shift).sum());
  loss.backward();

  const GateSample group = sample_gate(static_cast<double>(static_cast<float>(group_alpha)), group_u);
  GateRun run{n, 0, base.data(), theta.data(), w.data(), alpha.data(), w_m.data(), w_v.data(), a_m.data(), a_v.data()};
  const GateSums sums = gate_sums(run, g.data(), key, static_cast<float>(group.z), static_cast<float>(lambda));
  const double open = open_probability(static_cast<double>(static_cast<float>(group_alpha)));
  CHECK(sums.group * group.slope + lambda * open * (1 - open) == Approx(ag.grad().item<double>()).epsilon(1e-5));

  GateStep step;
  step.penalty = static_cast<float>(lambda);
  step.group = static_cast<float>(group.z);
  // With beta1 = 0 the first moment is the gradient itself.
  step.w = AdamWStep::at({0.0, 0.0, 0.999, 1e-8, 0.0}, 1);
  step.alpha = step.w;
  gate_update(run, g.data(), key, key, step);
  const at::Tensor expected_w = wt.grad(), expected_a = at_.grad();
  const double w_scale = expected_w.norm().item<double>(), a_scale = expected_a.norm().item<double>();
  CHECK((doubles(w_m) - expected_w).norm().item<double>() / w_scale < 1e-6);
  CHECK((doubles(a_m) - expected_a).norm().item<double>() / a_scale < 1e-6);
  CHECK(std::sqrt(sums.w) == Approx(w_scale).epsilon(1e-6));
  CHECK(std::sqrt(sums.alpha) == Approx(a_scale).epsilon(1e-6));
}
