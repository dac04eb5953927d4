#pragma once

#include <cstddef>
#include <span>

namespace dstore {

/// AdamW (Loshchilov, Hutter 2019) with decoupled weight decay, as torch.optim.AdamW computes it.
struct AdamW {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

/// One step's constants in the precision of the loop. `step` counts from 1.
struct AdamWStep {
  float decay;        ///< 1 - lr * weight_decay
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float inverse_root;  ///< 1 / sqrt(1 - beta2^step)
  float epsilon;
  float step_size;     ///< lr / (1 - beta1^step)
  float gradient_scale;  ///< what clipping multiplies gradients with

  static AdamWStep at(const AdamW& settings, long step, double gradient_scale = 1);
};

/// Updates values and moments of equal length in place.
void adamw_update(std::span<float> values, std::span<float> m, std::span<float> v, std::span<const float> gradient,
                  const AdamWStep& step);
/// The part of an update that is left where gradient and moments are zero.
void decay_only(std::span<float> values, const AdamWStep& step);

/// Sum of squares in a fixed order.
double squared_norm(std::span<const float> values);
/// What torch's clip_grad_norm_ multiplies with: min(1, limit / (norm + 1e-6)); 1 where limit is 0.
double clip_scale(double squared_norm, double limit);

}  // namespace dstore
