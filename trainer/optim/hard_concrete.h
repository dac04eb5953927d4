#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "trainer/optim/adamw.h"
#include "trainer/optim/lanes.h"

namespace dstore {

/// Hard-concrete gates (Louizos, Welling, Kingma 2018) as diff pruning (Guo, Rush, Kim 2021) uses them:
/// s = sigmoid(ln u - ln(1-u) + alpha), z = min(1, max(0, s (r - l) + l)), P(z > 0) = sigmoid(alpha - ln(-l / r)).
inline constexpr float kGateLow = -1.5f;
inline constexpr float kGateHigh = 1.5f;
/// u is kept this far from 0 and 1.
inline constexpr float kNoiseMargin = 1e-4f;

/// A run of elements of one tensor, delta = z_group * z * w, theta = base + delta. All arrays have `count` elements.
struct GateRun {
  std::size_t count = 0;
  std::uint64_t first = 0;  ///< flat index of the first: the noise is keyed by it
  const float* base = nullptr;
  float* theta = nullptr;
  float* w = nullptr;
  float* alpha = nullptr;
  float* w_m = nullptr;
  float* w_v = nullptr;
  float* alpha_m = nullptr;
  float* alpha_v = nullptr;
};

/// Sums over a run, in a fixed order, of what clipping and the group gate need.
struct GateSums {
  double w = 0;      ///< squared norm of dL/dw
  double alpha = 0;  ///< squared norm of dL/dalpha, penalty included
  double group = 0;  ///< sum of g * z * w: dL/dz_group
};

struct GateStep {
  float penalty = 0;          ///< lambda
  float group = 1;            ///< z_group of this step
  float next_group = 1;       ///< and of the next
  AdamWStep w{};
  AdamWStep alpha{};
};

/// The gradients dL/dw = g z z_group and dL/dalpha = g w z_group dz/dalpha + lambda P(1 - P), reduced.
GateSums gate_sums(const GateRun& run, const float* gradient, const lanes::NoiseKey& noise, float group, float penalty);

/// Both AdamW updates and the next theta in one pass: the gradients are made again from g and the same noise.
void gate_update(const GateRun& run, const float* gradient, const lanes::NoiseKey& noise, const lanes::NoiseKey& next,
                 const GateStep& step);

/// out = E[z_group] E[z] w, where E[z] = min(1, max(0, sigmoid(alpha) (r - l) + l)); `group` is E[z_group].
void gate_expected(const GateRun& run, float group, float* out);

struct GateStatistics {
  double open = 0;     ///< sum of P(z > 0)
  double nonzero = 0;  ///< elements with E[z] w != 0
};
GateStatistics gate_statistics(const GateRun& run, float group);

/// The same for single gates (group gates), in double.
struct GateSample {
  double z;
  double slope;  ///< dz/dalpha
};
GateSample sample_gate(double alpha, float uniform);
double expected_gate(double alpha);
double open_probability(double alpha);

}  // namespace dstore
