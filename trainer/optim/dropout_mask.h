#pragma once

#include <cstddef>

#include "trainer/optim/lanes.h"

namespace dstore {

/// out[i] = 0 with `probability`, else 1 / (1 - probability), for elements first + i of the noise.
void fill_dropout_mask(float* out, std::size_t first, std::size_t count, double probability, const lanes::NoiseKey& noise);

}  // namespace dstore
