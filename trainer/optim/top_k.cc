#include "trainer/optim/top_k.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace dstore {
namespace {

constexpr std::size_t kBins = std::size_t{1} << 15;

/// Orders like |score|; 0 for zero and NaN.
std::uint32_t magnitude(float score) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(score) & 0x7FFFFFFFu;
  return bits > 0x7F800000u ? 0 : bits;
}

/// The smallest selected magnitude and how many of exactly that magnitude are taken.
struct Threshold {
  std::uint32_t magnitude = 0;
  std::uint64_t ties = 0;
};

/// Counts by the high 16 bits, then by the low 16 within the bin where the k-th largest lies.
Threshold find_threshold(std::span<const ScoreReader> tensors, std::uint64_t k) {
  std::vector<std::uint64_t> high(kBins);
  for (const ScoreReader& tensor : tensors) {
    tensor([&](std::uint64_t, std::span<const float> scores) {
      for (const float score : scores) {
        const std::uint32_t m = magnitude(score);
        high[m >> 16] += m != 0;
      }
    });
  }
  std::uint64_t above = 0;
  std::size_t bin = kBins;
  while (bin > 0 && above + high[bin - 1] < k) above += high[--bin];
  if (bin == 0) return {1, ~std::uint64_t{0}};  // fewer than k are nonzero: all of them
  --bin;

  std::vector<std::uint64_t> low(std::size_t{1} << 16);
  for (const ScoreReader& tensor : tensors) {
    tensor([&](std::uint64_t, std::span<const float> scores) {
      for (const float score : scores) {
        const std::uint32_t m = magnitude(score);
        if (m >> 16 == bin && m != 0) ++low[m & 0xFFFFu];
      }
    });
  }
  std::size_t value = low.size();
  while (above + low[value - 1] < k) above += low[--value];
  return {static_cast<std::uint32_t>(bin << 16 | (value - 1)), k - above};
}

}  // namespace

std::vector<std::vector<std::uint32_t>> select_top_k(std::span<const ScoreReader> tensors, std::uint64_t k) {
  std::vector<std::vector<std::uint32_t>> selected(tensors.size());
  if (k == 0) return selected;
  Threshold threshold = find_threshold(tensors, k);
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    tensors[t]([&](std::uint64_t first, std::span<const float> scores) {
      for (std::size_t i = 0; i < scores.size(); ++i) {
        const std::uint32_t m = magnitude(scores[i]);
        if (m < threshold.magnitude) continue;
        if (m == threshold.magnitude && threshold.ties-- == 0) {
          ++threshold.ties;
          continue;
        }
        selected[t].push_back(static_cast<std::uint32_t>(first + i));
      }
    });
  }
  return selected;
}

}  // namespace dstore
