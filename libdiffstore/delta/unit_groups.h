#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "delta/block_scan.h"

namespace dstore {

/// Groups of 2^log2 units in a block, the last one perhaps shorter.
std::uint32_t group_count(std::uint32_t units, unsigned log2);
/// Those with a change, increasing.
std::vector<std::uint32_t> touched_groups(std::span<const std::uint32_t> changed, unsigned log2);
/// The changed units' places among the units of those groups. `changed` is not empty.
std::vector<std::uint32_t> places_in_groups(std::span<const std::uint32_t> changed, unsigned log2);

/// A bit for each group of units: whether it holds a change.
class GroupBits {
 public:
  /// Of the smallest groups, 2^kMinGroupLog2 units.
  explicit GroupBits(const BlockScan& scan);
  /// Makes the groups twice as large.
  void join();
  std::uint64_t touched() const;
  Bytes bitmap(std::uint32_t groups) const;

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace dstore
