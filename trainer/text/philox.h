#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/philox.h"

namespace dstore {

/// What the numbers are for. Part of the counter: two streams never share a block. Never reused.
enum class RandomStream : std::uint16_t {
  head_init = 1,
  dropout = 2,
  gate_noise = 3,
  data_order = 4,
  sampling = 5,
  selection = 6,
};

/// Two words as a uniform double in (0, 1): 52 bits plus one half.
constexpr double uniform_double(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (std::uint64_t{high} << 32 | low) >> 12;
  return static_cast<double>(bits) * 0x1p-52 + 0x1p-53;
}

/// The random numbers of one tensor at one step: word `i` belongs to flat element `i`. A value, free to copy.
/// Key: the seed (low, high word). Counter: block number (48 bits: words 0 and low half of 1), stream (high half of 1),
/// tensor (word 2), step (word 3); block = element / 4, lane = element % 4.
class Philox {
 public:
  constexpr Philox(std::uint64_t seed, RandomStream stream, std::uint32_t step = 0, std::uint32_t tensor = 0)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        stream_(static_cast<std::uint32_t>(stream) << 16), step_(step), tensor_(tensor) {}

  /// The words of elements 4 * block ... 4 * block + 3; block < 2^48.
  constexpr PhiloxBlock block(std::uint64_t block) const {
    return philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32) | stream_, tensor_, step_},
                      key_);
  }
  /// For single draws; in loops take block() once for four elements.
  constexpr std::uint32_t word(std::uint64_t element) const { return block(element / 4)[element % 4]; }
  constexpr float uniform(std::uint64_t element) const { return uniform_float(word(element)); }

  /// Standard normal (Box-Muller in double over block `element`). The last bit follows the C library's log and cos.
  double normal(std::uint64_t element) const {
    const PhiloxBlock words = block(element);
    const double radius = std::sqrt(-2.0 * std::log(uniform_double(words[0], words[1])));
    return radius * std::cos(6.283185307179586476925 * uniform_double(words[2], words[3]));
  }

 private:
  PhiloxKey key_;
  std::uint32_t stream_, step_, tensor_;
};

/// Draws words one after another from a Philox: for shuffles. Not for threads to share.
class PhiloxSequence {
 public:
  constexpr explicit PhiloxSequence(Philox source) : source_(source) {}

  constexpr std::uint32_t next() {
    if (next_ % 4 == 0) words_ = source_.block(next_ / 4);
    return words_[next_++ % 4];
  }
  /// Uniform in [0, bound), without bias (words from the incomplete last interval are drawn again); bound > 0.
  constexpr std::uint32_t below(std::uint32_t bound) {
    const std::uint32_t unfair = (0u - bound) % bound;  // 2^32 mod bound
    for (;;) {
      const std::uint64_t product = std::uint64_t{next()} * bound;
      if (static_cast<std::uint32_t>(product) >= unfair) return static_cast<std::uint32_t>(product >> 32);
    }
  }

 private:
  Philox source_;
  PhiloxBlock words_{};
  std::uint64_t next_ = 0;
};

/// Fisher-Yates from the back; fewer than 2^32 items. The permutation is a function of the sequence alone.
template <typename T>
constexpr void shuffle(std::span<T> items, PhiloxSequence& sequence) {
  for (std::size_t i = items.size(); i > 1; --i) {
    const std::uint32_t j = sequence.below(static_cast<std::uint32_t>(i));
    std::swap(items[i - 1], items[j]);
  }
}

}  // namespace dstore
