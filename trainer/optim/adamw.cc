#include "trainer/optim/adamw.h"

#include <algorithm>
#include <cmath>

#include "trainer/optim/adamw_lane.h"
#include "trainer/optim/lanes.h"

namespace dstore {

AdamWStep AdamWStep::at(const AdamW& a, long step, double gradient_scale) {
  const auto n = static_cast<double>(step);
  AdamWStep s;
  s.decay = static_cast<float>(1 - a.lr * a.weight_decay);
  s.one_minus_beta1 = static_cast<float>(1 - a.beta1);
  s.beta2 = static_cast<float>(a.beta2);
  s.one_minus_beta2 = static_cast<float>(1 - a.beta2);
  s.inverse_root = static_cast<float>(1 / std::sqrt(1 - std::pow(a.beta2, n)));
  s.epsilon = static_cast<float>(a.epsilon);
  s.step_size = static_cast<float>(a.lr / (1 - std::pow(a.beta1, n)));
  s.gradient_scale = static_cast<float>(gradient_scale);
  return s;
}

DSTORE_VECTOR_CLONES static void update(float* __restrict x, float* __restrict m, float* __restrict v, const float* __restrict g,
                                        std::size_t n, AdamWStep s) {
  for (std::size_t i = 0; i < n; ++i) lanes::adamw(x[i], m[i], v[i], g[i] * s.gradient_scale, s);
}

DSTORE_VECTOR_CLONES static void scale(float* x, std::size_t n, float factor) {
  for (std::size_t i = 0; i < n; ++i) x[i] *= factor;
}

DSTORE_VECTOR_CLONES static double sum_of_squares(const float* x, std::size_t n) {
  constexpr std::size_t kLanes = 16;
  double sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t j = 0; j < kLanes; ++j) sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  }
  for (std::size_t j = 0; i + j < n; ++j) sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

void adamw_update(std::span<float> values, std::span<float> m, std::span<float> v, std::span<const float> gradient, const AdamWStep& step) {
  update(values.data(), m.data(), v.data(), gradient.data(), values.size(), step);
}

void decay_only(std::span<float> values, const AdamWStep& step) {
  if (step.decay != 1.0f) scale(values.data(), values.size(), step.decay);
}

double squared_norm(std::span<const float> values) { return sum_of_squares(values.data(), values.size()); }

double clip_scale(double squared, double limit) {
  if (limit <= 0) return 1;
  return std::min(1.0, limit / (std::sqrt(squared) + 1e-6));
}

}  // namespace dstore
