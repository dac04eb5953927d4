#include "trainer/optim/top_k.h"

#include <bit>

#include "base/radix_select.h"

namespace dstore {
namespace {

/// Orders like |score|; 0 for zero and NaN.
std::uint32_t magnitude(float score) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(score) & 0x7FFFFFFFu;
  return bits > 0x7F800000u ? 0 : bits;
}

}  // namespace

std::vector<std::vector<std::uint32_t>> select_top_k(std::span<const ScoreReader> tensors, std::uint64_t k) {
  RadixSelect select(32, k);
  while (!select.done()) {
    RadixSelect::Counts counts(RadixSelect::kBins);
    for (const ScoreReader& tensor : tensors) {
      tensor([&](std::uint64_t, std::span<const float> scores) {
        for (const float score : scores) {
          const std::uint32_t m = magnitude(score);
          if (select.wants(m)) ++counts[select.digit(m)];
        }
      });
    }
    select.narrow(counts);
  }

  std::vector<std::vector<std::uint32_t>> selected(tensors.size());
  std::uint64_t ties = select.ties();
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    tensors[t]([&](std::uint64_t first, std::span<const float> scores) {
      for (std::size_t i = 0; i < scores.size(); ++i) {
        const std::uint32_t m = magnitude(scores[i]);
        if (m < select.threshold()) continue;
        if (m == select.threshold()) {
          if (ties == 0) continue;
          --ties;
        }
        selected[t].push_back(static_cast<std::uint32_t>(first + i));
      }
    });
  }
  return selected;
}

}  // namespace dstore
