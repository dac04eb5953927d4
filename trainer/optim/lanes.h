#pragma once
// Building blocks of the vectorised loops: plain loops over blocks that the compiler turns into vector code. Every
// operation is an IEEE one, in a fixed order, without fused multiply-adds, so all clones of a loop give the same bits.

#include <bit>
#include <cstddef>
#include <cstdint>

#include "trainer/text/philox.h"

/// Compiles a loop for several instruction sets; the best one is chosen when the program starts.
#if defined(__x86_64__)
#define DSTORE_VECTOR_CLONES __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define DSTORE_VECTOR_CLONES
#endif
#define DSTORE_LANE_INLINE inline __attribute__((always_inline))

namespace dstore::lanes {

/// Elements handled at a time: fits the first-level cache with all temporaries.
inline constexpr std::size_t kBlock = 128;

/// Names one stream of random words: the arguments of Philox.
struct NoiseKey {
  std::uint64_t seed = 0;
  RandomStream stream = RandomStream::gate_noise;
  std::uint32_t step = 0;
  std::uint32_t tensor = 0;
};

/// exp(x) with a relative error below 2e-7; x is clamped to [-87, 88].
DSTORE_LANE_INLINE float exp(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504f + magic;
  const float n = shifted - magic;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = (p * r) * r + r + 1.0f;
  const std::uint32_t scale = (std::bit_cast<std::uint32_t>(shifted) - 0x4B400000u + 127u) << 23;
  return p * std::bit_cast<float>(scale);
}

/// Words of kBlock elements from element `first` (a multiple of 4) on, equal to Philox(key...).word(element).
DSTORE_LANE_INLINE void philox_block(const NoiseKey& key, std::uint64_t first, std::uint32_t* out) {
  constexpr std::size_t kLanes = kBlock / 4;
  std::uint32_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes];
  const std::uint64_t block = first / 4;
  for (std::size_t i = 0; i < kLanes; ++i) {
    const std::uint64_t b = block + i;
    c0[i] = static_cast<std::uint32_t>(b);
    c1[i] = static_cast<std::uint32_t>(b >> 32) | static_cast<std::uint32_t>(key.stream) << 16;
    c2[i] = key.tensor;
    c3[i] = key.step;
  }
  std::uint32_t k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < kLanes; ++i) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0[i];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2[i];
      const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
      const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
      c1[i] = static_cast<std::uint32_t>(p1);
      c3[i] = static_cast<std::uint32_t>(p0);
      c0[i] = n0;
      c2[i] = n2;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (std::size_t i = 0; i < kLanes; ++i) {
    out[4 * i + 0] = c0[i];
    out[4 * i + 1] = c1[i];
    out[4 * i + 2] = c2[i];
    out[4 * i + 3] = c3[i];
  }
}

}  // namespace dstore::lanes
