#include <cmath>
#include <vector>

#include "catch.h"
#include "trainer/optim/adamw_lane.h"
#include "trainer/optim/dropout_mask.h"
#include "trainer/optim/hard_concrete.h"

using namespace dstore;

namespace {

std::vector<float> noise_values(std::size_t count, std::uint32_t tensor, float scale, float shift = 0) {
  const Philox noise(11, RandomStream::sampling, 0, tensor);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = shift + scale * static_cast<float>(noise.normal(i));
  return values;
}

/// Everything a gate run needs, owned.
struct Gates {
  explicit Gates(std::size_t n)
      : base(noise_values(n, 1, 0.3f)), theta(n), w(noise_values(n, 2, 0.01f)), alpha(noise_values(n, 3, 2)), w_m(n), w_v(n), a_m(n), a_v(n),
        gradient(noise_values(n, 4, 0.1f)) {}
  GateRun run(std::size_t first, std::size_t count) {
    return {count, first, base.data() + first, theta.data() + first, w.data() + first, alpha.data() + first, w_m.data() + first,
            w_v.data() + first, a_m.data() + first, a_v.data() + first};
  }
  std::vector<float> base, theta, w, alpha, w_m, w_v, a_m, a_v, gradient;
};

const lanes::NoiseKey kNow{7, RandomStream::gate_noise, 3, 5}, kNext{7, RandomStream::gate_noise, 4, 5};

GateStep some_step() {
  GateStep step;
  step.penalty = 1e-3f;
  step.group = 0.7f;
  step.next_group = 0.9f;
  step.w = AdamWStep::at({1e-2}, 4, 0.5);
  step.alpha = AdamWStep::at({1e-1}, 4, 0.25);
  return step;
}

}  // namespace

TEST_CASE("vector noise is the noise of Philox") {
  std::vector<std::uint32_t> words(lanes::kBlock);
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{4096}, (std::uint64_t{1} << 34) - 64}) {
    lanes::philox_block(kNow, first, words.data());
    const Philox plain(kNow.seed, kNow.stream, kNow.step, kNow.tensor);
    for (std::size_t i = 0; i < words.size(); ++i) REQUIRE(words[i] == plain.word(first + i));
  }
}

TEST_CASE("the vector exponential is accurate to 2e-7") {
  for (double x = -87; x <= 88; x += 0.0731) {
    const double exact = std::exp(static_cast<double>(static_cast<float>(x)));
    REQUIRE(std::abs(static_cast<double>(lanes::exp(static_cast<float>(x))) - exact) <= 2e-7 * exact);
  }
  CHECK(std::isfinite(lanes::exp(1000.0f)));
  CHECK(lanes::exp(-1000.0f) >= 0);
}

TEST_CASE("the fused gate pass equals the formulas in double") {
  constexpr std::size_t n = 1001;
  Gates gates(n), before(n);
  const GateStep step = some_step();
  GateSums sums = gate_sums(gates.run(0, n), gates.gradient.data(), kNow, step.group, step.penalty);
  gate_update(gates.run(0, n), gates.gradient.data(), kNow, kNext, step);
  const Philox now(kNow.seed, kNow.stream, kNow.step, kNow.tensor), next(kNext.seed, kNext.stream, kNext.step, kNext.tensor);
  double w_norm = 0, a_norm = 0, group = 0;
  const auto adam = [](double x, double g, const AdamWStep& s, double& m) {
    m = g * static_cast<double>(s.one_minus_beta1);
    const double v = g * g * static_cast<double>(s.one_minus_beta2);
    return x - static_cast<double>(s.step_size) * m / (std::sqrt(v) * static_cast<double>(s.inverse_root) + static_cast<double>(s.epsilon));
  };
  for (std::size_t i = 0; i < n; ++i) {
    const double w = before.w[i], alpha = before.alpha[i], g = before.gradient[i], zg = step.group, lambda = step.penalty;
    const GateSample z = sample_gate(alpha, now.uniform(i));
    const double open = open_probability(alpha);
    const double gw = g * z.z * zg, ga = g * w * zg * z.slope + lambda * open * (1 - open);
    w_norm += gw * gw;
    a_norm += ga * ga;
    group += g * z.z * w;
    double wm = 0, am = 0;
    const double new_w = adam(w, gw * 0.5, step.w, wm), new_alpha = adam(alpha, ga * 0.25, step.alpha, am);
    CHECK(gates.w_m[i] == Approx(wm).epsilon(2e-5).margin(1e-9));
    CHECK(gates.a_m[i] == Approx(am).epsilon(2e-5).margin(1e-9));
    CHECK(gates.w[i] == Approx(new_w).epsilon(1e-4).margin(1e-6));
    CHECK(gates.alpha[i] == Approx(new_alpha).epsilon(1e-4).margin(1e-6));
    const double z2 = sample_gate(static_cast<double>(gates.alpha[i]), next.uniform(i)).z;
    CHECK(gates.theta[i] == Approx(static_cast<double>(before.base[i]) + 0.9 * z2 * static_cast<double>(gates.w[i])).epsilon(1e-6).margin(1e-8));
  }
  CHECK(sums.w == Approx(w_norm).epsilon(1e-5));
  CHECK(sums.alpha == Approx(a_norm).epsilon(1e-5));
  CHECK(sums.group == Approx(group).epsilon(1e-4).margin(1e-6));
}

TEST_CASE("how a tensor is cut into runs does not change a bit") {
  constexpr std::size_t n = 700;
  Gates whole(n), cut(n);
  gate_update(whole.run(0, n), whole.gradient.data(), kNow, kNext, some_step());
  std::size_t first = 0;
  for (const std::size_t length : {std::size_t{1}, std::size_t{130}, std::size_t{3}, std::size_t{384}, std::size_t{182}}) {
    gate_update(cut.run(first, length), cut.gradient.data() + first, kNow, kNext, some_step());
    first += length;
  }
  REQUIRE(first == n);
  CHECK(whole.theta == cut.theta);
  CHECK(whole.w == cut.w);
  CHECK(whole.alpha == cut.alpha);
  CHECK(whole.a_v == cut.a_v);
}

TEST_CASE("P(z > 0) is the closed form") {
  for (const double alpha : {-2.0, 0.0, 1.5}) {
    const Philox noise(1, RandomStream::gate_noise);
    std::size_t open = 0;
    constexpr std::size_t n = 200000;
    for (std::size_t i = 0; i < n; ++i) open += sample_gate(alpha, noise.uniform(i)).z > 0;
    const double p = open_probability(alpha);
    CHECK(static_cast<double>(open) / n == Approx(p).margin(4 * std::sqrt(p * (1 - p) / n)));
  }
}

TEST_CASE("a dropout mask keeps the mean, by element and not by thread") {
  std::vector<float> whole(100001), cut(100001);
  const lanes::NoiseKey key{9, RandomStream::dropout, 2, 3};
  fill_dropout_mask(whole.data(), 0, whole.size(), 0.1, key);
  fill_dropout_mask(cut.data(), 0, 777, 0.1, key);
  fill_dropout_mask(cut.data() + 777, 777, cut.size() - 777, 0.1, key);
  CHECK(whole == cut);
  double sum = 0;
  for (const float value : whole) sum += static_cast<double>(value);
  CHECK(sum / static_cast<double>(whole.size()) == Approx(1).margin(0.01));
}

TEST_CASE("a squared norm does not depend on alignment") {
  const std::vector<float> values = noise_values(1003, 8, 1);
  double plain = 0;
  for (const float value : values) plain += static_cast<double>(value) * static_cast<double>(value);
  CHECK(squared_norm(values) == Approx(plain).epsilon(1e-12));
  CHECK(clip_scale(4.0, 1.0) == Approx(0.5).epsilon(1e-6));
  CHECK(clip_scale(4.0, 0.0) == 1);
  CHECK(clip_scale(0.01, 1.0) == 1);
}
