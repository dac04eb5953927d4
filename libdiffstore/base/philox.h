#pragma once

#include <array>
#include <cstdint>

namespace dstore {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011): four random words are a pure function of a counter and a key, so
/// any element of any tensor at any step can be drawn by any thread in any order with the same result.
using PhiloxBlock = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

constexpr PhiloxBlock philox4x32(PhiloxBlock counter, PhiloxKey key) {
  std::uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  std::uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(p1);
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {c0, c1, c2, c3};
}

/// A word as a uniform float in (0, 1): (floor(word / 2^9) + 1/2) * 2^-23. Exact in fp32, symmetric around 1/2,
/// never 0 or 1 (from 2^-24 to 1 - 2^-24), so log(u) and log(1 - u) are finite.
constexpr float uniform_float(std::uint32_t word) {
  return static_cast<float>(word >> 9) * 0x1p-23f + 0x1p-24f;
}

}  // namespace dstore
