#pragma once

#include <cmath>

#include "trainer/optim/adamw.h"
#include "trainer/optim/lanes.h"

namespace dstore::lanes {

/// AdamW for one element; `g` is already scaled.
DSTORE_LANE_INLINE void adamw(float& x, float& m, float& v, float g, const AdamWStep& s) {
  const float moment = m + (g - m) * s.one_minus_beta1;
  const float square = v * s.beta2 + g * g * s.one_minus_beta2;
  m = moment;
  v = square;
  x = x * s.decay - s.step_size * (moment / (std::sqrt(square) * s.inverse_root + s.epsilon));
}

}  // namespace dstore::lanes
