#include "trainer/optim/dropout_mask.h"

#include <algorithm>
#include <cmath>

namespace dstore {

DSTORE_VECTOR_CLONES static void fill(float* __restrict out, std::size_t first, std::size_t count, std::uint32_t threshold, float kept,
                                      lanes::NoiseKey noise) {
  alignas(64) std::uint32_t words[lanes::kBlock];
  for (std::size_t at = 0; at < count;) {
    const std::size_t skip = (first + at) % 4;
    const std::size_t n = std::min(count - at, lanes::kBlock - skip);
    lanes::philox_block(noise, first + at - skip, words);
    for (std::size_t i = 0; i < n; ++i) out[at + i] = (words[skip + i] >> 8) < threshold ? 0.0f : kept;
    at += n;
  }
}

void fill_dropout_mask(float* out, std::size_t first, std::size_t count, double probability, const lanes::NoiseKey& noise) {
  const auto threshold = static_cast<std::uint32_t>(std::lround(probability * 0x1p24));
  fill(out, first, count, threshold, static_cast<float>(1 / (1 - probability)), noise);
}

}  // namespace dstore
