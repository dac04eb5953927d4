#include "base/radix_select.h"

#include <algorithm>
#include <limits>

namespace dstore {
namespace {
constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
}

RadixSelect::RadixSelect(unsigned key_bits, std::uint64_t k) : shift_(key_bits - kDigitBits), left_(k) {
  if (k == 0) finish(kMost, 0);
}

void RadixSelect::finish(std::uint64_t threshold, std::uint64_t ties) {
  threshold_ = threshold;
  ties_ = ties;
  done_ = true;
}

void RadixSelect::narrow(const Counts& counts) {
  std::uint64_t above = 0;
  std::size_t bin = kBins;
  while (bin > 0 && above + counts[bin - 1] < left_) above += counts[--bin];
  if (bin == 0) return finish(1, kMost);  // fewer than k keys
  left_ -= above;
  prefix_ = prefix_ << kDigitBits | --bin;
  // A bin that is taken whole needs no closer look.
  if (counts[bin] == left_) return finish(std::max<std::uint64_t>(1, prefix_ << shift_), kMost);
  if (shift_ == 0) {
    splits_ties_ = true;
    return finish(prefix_, left_);
  }
  shift_ -= kDigitBits;
}

}  // namespace dstore
