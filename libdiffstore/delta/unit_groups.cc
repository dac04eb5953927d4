#include "delta/unit_groups.h"

#include <cstring>

#include "delta/block.h"
#include "delta/kernels.h"

namespace dstore {
namespace {

constexpr std::size_t kInWord = 16;  ///< words of units, of four groups each

}  // namespace

std::uint32_t group_count(std::uint32_t units, unsigned log2) {
  return static_cast<std::uint32_t>((std::uint64_t{units} + (1u << log2) - 1) >> log2);
}

std::vector<std::uint32_t> touched_groups(std::span<const std::uint32_t> changed, unsigned log2) {
  std::vector<std::uint32_t> groups;
  for (std::uint32_t position : changed) {
    const std::uint32_t group = position >> log2;
    if (groups.empty() || groups.back() != group) groups.push_back(group);
  }
  return groups;
}

std::vector<std::uint32_t> places_in_groups(std::span<const std::uint32_t> changed, unsigned log2) {
  std::vector<std::uint32_t> places(changed.size());
  const std::uint32_t mask = (1u << log2) - 1;
  std::uint32_t before = 0, last = changed.front() >> log2;
  for (std::size_t i = 0; i < changed.size(); ++i) {
    const std::uint32_t position = changed.data()[i], group = position >> log2;
    before += static_cast<std::uint32_t>(group != last);
    last = group;
    places.data()[i] = before << log2 | (position & mask);
  }
  return places;
}

GroupBits::GroupBits(const BlockScan& scan) : words_((scan.words().size() + kInWord - 1) / kInWord) {
  static_assert(segment_layout::kMinGroupLog2 == 4);
  const std::span<const std::uint64_t> units = scan.words();
  for (std::size_t i = 0; i < units.size(); ++i) {
    std::uint64_t any = units.data()[i];
    any |= any >> 8;
    any |= any >> 4;
    any |= any >> 2;
    any |= any >> 1;
    any &= 0x0001'0001'0001'0001u;
    any = (any | any >> 15 | any >> 30 | any >> 45) & 15;
    words_.data()[i / kInWord] |= any << (i % kInWord * 4);
  }
}

void GroupBits::join() {
  const auto halved = [](std::uint64_t bits) {
    bits = (bits | bits >> 1) & 0x5555'5555'5555'5555u;
    bits = (bits | bits >> 1) & 0x3333'3333'3333'3333u;
    bits = (bits | bits >> 2) & 0x0f0f'0f0f'0f0f'0f0fu;
    bits = (bits | bits >> 4) & 0x00ff'00ff'00ff'00ffu;
    bits = (bits | bits >> 8) & 0x0000'ffff'0000'ffffu;
    return (bits | bits >> 16) & 0xffff'ffffu;
  };
  if (words_.size() % 2 != 0) words_.push_back(0);
  for (std::size_t i = 0; i < words_.size(); i += 2) words_[i / 2] = halved(words_[i]) | halved(words_[i + 1]) << 32;
  words_.resize(words_.size() / 2);
}

std::uint64_t GroupBits::touched() const { return kernels().count_ones(words_.data(), words_.size()); }

Bytes GroupBits::bitmap(std::uint32_t groups) const {
  Bytes out((groups + 7) / 8);
  std::memcpy(out.data(), words_.data(), out.size());
  return out;
}

}  // namespace dstore
