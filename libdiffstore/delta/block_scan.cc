#include "delta/block_scan.h"

#include <algorithm>
#include <bit>

#include "delta/layout.h"

namespace dstore {

using namespace segment_layout;

void BlockScan::reset(std::span<const std::uint64_t> words, std::uint32_t units) {
  units_ = units;
  words_ = words.first((units + 63) / 64);
  changed_ = 0;
  for (std::uint64_t word : words_) changed_ += static_cast<unsigned>(std::popcount(word));
  has_positions_ = has_groups_ = false;
}

const std::vector<std::uint32_t>& BlockScan::positions() const {
  if (has_positions_) return positions_;
  has_positions_ = true;
  positions_.resize(changed_);
  std::uint32_t* out = positions_.data();
  for (std::size_t at = 0; at < words_.size(); ++at) {
    for (std::uint64_t word = words_[at]; word != 0; word &= word - 1) {
      *out++ = static_cast<std::uint32_t>(64 * at) + static_cast<std::uint32_t>(std::countr_zero(word));
    }
  }
  return positions_;
}

const std::vector<std::uint32_t>& BlockScan::groups() const {
  constexpr std::size_t kWords = (1u << kDenseGroupLog2) / 64;
  if (has_groups_) return groups_;
  has_groups_ = true;
  groups_.clear();
  for (std::size_t at = 0; at < words_.size(); at += kWords) {
    std::uint64_t any = 0;
    for (std::size_t i = at; i < std::min(at + kWords, words_.size()); ++i) any |= words_[i];
    if (any != 0) groups_.push_back(static_cast<std::uint32_t>(at / kWords));
  }
  return groups_;
}

std::uint32_t BlockScan::grouped_units() const {
  const std::vector<std::uint32_t>& found = groups();
  if (found.empty()) return 0;
  const std::uint64_t end = (std::uint64_t{found.back()} + 1) << kDenseGroupLog2;
  const std::uint64_t missing = end > units_ ? end - units_ : 0;
  return static_cast<std::uint32_t>((std::uint64_t{found.size()} << kDenseGroupLog2) - missing);
}

}  // namespace dstore
