#include "delta/block_scan.h"

#include <algorithm>

#include "delta/kernels.h"

namespace dstore {

using namespace segment_layout;

void BlockScan::reset(std::span<const std::uint64_t> words, std::uint32_t units) {
  units_ = units;
  words_ = words.first((units + 63) / 64);
  changed_ = static_cast<std::uint32_t>(kernels().count_ones(words_.data(), words_.size()));
  known_positions_ = {};
  has_positions_ = has_groups_ = false;
}

void BlockScan::reset(std::span<const std::uint64_t> words, std::uint32_t units, std::span<const std::uint32_t> positions) {
  units_ = units;
  words_ = words.first((units + 63) / 64);
  changed_ = static_cast<std::uint32_t>(positions.size());
  known_positions_ = positions;
  has_positions_ = has_groups_ = false;
}

std::span<const std::uint32_t> BlockScan::positions() const {
  constexpr std::size_t kRoom = 8;  // that list_ones() asks for
  if (!known_positions_.empty()) return known_positions_;
  if (!has_positions_) {
    has_positions_ = true;
    positions_.resize(changed_ + kRoom);
    kernels().list_ones(words_.data(), words_.size(), positions_.data());
  }
  return std::span(positions_).first(changed_);
}

const std::vector<std::uint32_t>& BlockScan::groups() const {
  constexpr std::size_t kWords = (1u << kDenseGroupLog2) / 64;
  if (has_groups_) return groups_;
  has_groups_ = true;
  groups_.clear();
  for (std::size_t at = 0; at < words_.size(); at += kWords) {
    std::uint64_t any = 0;
    for (const std::uint64_t word : words_.subspan(at, std::min(kWords, words_.size() - at))) any |= word;
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
