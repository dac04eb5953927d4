#include "trainer/optim/hard_concrete.h"

#include <algorithm>
#include <cmath>

#include "trainer/optim/adamw_lane.h"

namespace dstore {
namespace {

using lanes::kBlock;
using lanes::NoiseKey;

constexpr float kRange = kGateHigh - kGateLow;
constexpr float kOdds = -kGateLow / kGateHigh;

DSTORE_LANE_INLINE float noise_of(std::uint32_t word) {
  // uniform_float() for words of 23 bits; the signed conversion is the one that vectorises everywhere.
  const float u = static_cast<float>(static_cast<std::int32_t>(word >> 9)) * 0x1p-23f + 0x1p-24f;
  const float low = u < kNoiseMargin ? kNoiseMargin : u;
  return low > 1.0f - kNoiseMargin ? 1.0f - kNoiseMargin : low;
}

/// s of a draw; `e` is exp(-alpha). The logistic of a logistic: one division, no logarithm.
DSTORE_LANE_INLINE float stretched(float u, float e) { return u / (u + (1.0f - u) * e); }

DSTORE_LANE_INLINE float gate_of(float s) {
  const float bar = s * kRange + kGateLow;
  const float low = bar < 0.0f ? 0.0f : bar;
  return low > 1.0f ? 1.0f : low;
}

DSTORE_LANE_INLINE float slope_of(float s) {
  const float bar = s * kRange + kGateLow;
  const float slope = kRange * s * (1.0f - s);
  const float above = bar > 0.0f ? slope : 0.0f;
  return bar < 1.0f ? above : 0.0f;
}

/// P(z > 0) (1 - P(z > 0)), the slope of the penalty.
DSTORE_LANE_INLINE float open_slope(float e) {
  const float odds = e * kOdds;
  const float open = 1.0f / (1.0f + odds);
  return open * (odds * open);
}

/// Gradients of a block: g z z_group, g w z_group dz + lambda P(1-P), and g z w for the group gate.
DSTORE_LANE_INLINE void gradients(const float* __restrict w, const float* __restrict alpha, const float* __restrict g,
                                  const std::uint32_t* __restrict words, std::size_t n, float group, float penalty,
                                  float* __restrict gw, float* __restrict ga, float* __restrict gg) {
  for (std::size_t i = 0; i < n; ++i) {
    const float e = lanes::exp(-alpha[i]);
    const float s = stretched(noise_of(words[i]), e);
    const float z = gate_of(s);
    gw[i] = g[i] * z * group;
    ga[i] = g[i] * w[i] * group * slope_of(s) + penalty * open_slope(e);
    gg[i] = g[i] * z * w[i];
  }
}

/// A block starts anywhere but its noise comes in fours: elements until the block of words is used up.
struct Block {
  std::uint64_t aligned;
  std::size_t skip;
  std::size_t count;
};
DSTORE_LANE_INLINE Block block_at(std::uint64_t first, std::size_t left) {
  const std::size_t skip = first % 4;
  return {first - skip, skip, left < kBlock - skip ? left : kBlock - skip};
}

}  // namespace

DSTORE_VECTOR_CLONES static void sums_of(const GateRun& run, const float* gradient, NoiseKey noise, float group, float penalty, GateSums* out) {
  constexpr std::size_t kLanes = 16;
  alignas(64) std::uint32_t words[kBlock];
  alignas(64) float gw[kBlock], ga[kBlock], gg[kBlock];
  double w_sum[kLanes] = {}, a_sum[kLanes] = {}, g_sum[kLanes] = {};
  for (std::size_t at = 0; at < run.count;) {
    const Block b = block_at(run.first + at, run.count - at);
    lanes::philox_block(noise, b.aligned, words);
    gradients(run.w + at, run.alpha + at, gradient + at, words + b.skip, b.count, group, penalty, gw, ga, gg);
    for (std::size_t i = b.count; i < kBlock; ++i) gw[i] = ga[i] = gg[i] = 0;
    for (std::size_t i = 0; i < kBlock; i += kLanes) {
      for (std::size_t j = 0; j < kLanes; ++j) {
        w_sum[j] += static_cast<double>(gw[i + j]) * static_cast<double>(gw[i + j]);
        a_sum[j] += static_cast<double>(ga[i + j]) * static_cast<double>(ga[i + j]);
        g_sum[j] += static_cast<double>(gg[i + j]);
      }
    }
    at += b.count;
  }
  for (std::size_t j = 0; j < kLanes; ++j) {
    out->w += w_sum[j];
    out->alpha += a_sum[j];
    out->group += g_sum[j];
  }
}

DSTORE_VECTOR_CLONES static void update_run(const GateRun& run, const float* gradient, NoiseKey noise, NoiseKey next, GateStep step) {
  alignas(64) std::uint32_t words[kBlock];
  alignas(64) float gw[kBlock], ga[kBlock], gg[kBlock];
  for (std::size_t at = 0; at < run.count;) {
    const Block b = block_at(run.first + at, run.count - at);
    float* __restrict w = run.w + at;
    float* __restrict alpha = run.alpha + at;
    float* __restrict w_m = run.w_m + at;
    float* __restrict w_v = run.w_v + at;
    float* __restrict a_m = run.alpha_m + at;
    float* __restrict a_v = run.alpha_v + at;
    const float* __restrict base = run.base + at;
    float* __restrict theta = run.theta + at;
    lanes::philox_block(noise, b.aligned, words);
    gradients(w, alpha, gradient + at, words + b.skip, b.count, step.group, step.penalty, gw, ga, gg);
    for (std::size_t i = 0; i < b.count; ++i) lanes::adamw(w[i], w_m[i], w_v[i], gw[i] * step.w.gradient_scale, step.w);
    for (std::size_t i = 0; i < b.count; ++i) lanes::adamw(alpha[i], a_m[i], a_v[i], ga[i] * step.alpha.gradient_scale, step.alpha);
    lanes::philox_block(next, b.aligned, words);
    const std::uint32_t* __restrict fresh = words + b.skip;
    for (std::size_t i = 0; i < b.count; ++i) {
      const float z = gate_of(stretched(noise_of(fresh[i]), lanes::exp(-alpha[i])));
      theta[i] = base[i] + step.next_group * (z * w[i]);
    }
    at += b.count;
  }
}

DSTORE_VECTOR_CLONES static void expected_run(const float* __restrict w, const float* __restrict alpha, std::size_t n, float group,
                                              float* __restrict out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = group * (gate_of(1.0f / (1.0f + lanes::exp(-alpha[i]))) * w[i]);
}

GateSums gate_sums(const GateRun& run, const float* gradient, const NoiseKey& noise, float group, float penalty) {
  GateSums sums;
  sums_of(run, gradient, noise, group, penalty, &sums);
  return sums;
}

void gate_update(const GateRun& run, const float* gradient, const NoiseKey& noise, const NoiseKey& next, const GateStep& step) {
  update_run(run, gradient, noise, next, step);
}

void gate_expected(const GateRun& run, float group, float* out) { expected_run(run.w, run.alpha, run.count, group, out); }

GateStatistics gate_statistics(const GateRun& run, float group) {
  GateStatistics statistics;
  float delta[kBlock];
  for (std::size_t at = 0; at < run.count; at += kBlock) {
    const std::size_t n = std::min(kBlock, run.count - at);
    expected_run(run.w + at, run.alpha + at, n, group, delta);
    float open = 0;
    std::size_t nonzero = 0;
    for (std::size_t i = 0; i < n; ++i) {
      open += 1.0f / (1.0f + kOdds * lanes::exp(-run.alpha[at + i]));
      nonzero += delta[i] != 0.0f;
    }
    statistics.open += static_cast<double>(open);
    statistics.nonzero += static_cast<double>(nonzero);
  }
  return statistics;
}

GateSample sample_gate(double alpha, float uniform) {
  const double u = std::clamp(uniform, kNoiseMargin, 1.0f - kNoiseMargin);
  const double s = u / (u + (1 - u) * std::exp(-alpha));
  const double range = kRange, bar = s * range + static_cast<double>(kGateLow);
  return {std::clamp(bar, 0.0, 1.0), bar > 0 && bar < 1 ? range * s * (1 - s) : 0.0};
}

double expected_gate(double alpha) {
  return std::clamp(static_cast<double>(kRange) / (1 + std::exp(-alpha)) + static_cast<double>(kGateLow), 0.0, 1.0);
}

double open_probability(double alpha) { return 1 / (1 + static_cast<double>(kOdds) * std::exp(-alpha)); }

}  // namespace dstore
