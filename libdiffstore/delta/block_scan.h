#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dstore {

/// Which units of a block changed. A view of a bit for each unit; lists are made when they are asked for, and kept.
class BlockScan {
 public:
  /// `words` holds at least `units` bits; bits beyond them are 0.
  void reset(std::span<const std::uint64_t> words, std::uint32_t units);
  /// The same where the list of them is at hand.
  void reset(std::span<const std::uint64_t> words, std::uint32_t units, std::span<const std::uint32_t> positions);
  void forget_positions() { has_positions_ = false, positions_ = {}; }

  std::uint32_t units() const { return units_; }
  std::uint32_t changed() const { return changed_; }
  std::span<const std::uint64_t> words() const { return words_; }
  /// The changed units.
  std::span<const std::uint32_t> positions() const;
  /// The groups of 2^kDenseGroupLog2 units that hold a changed one, and the units in them.
  const std::vector<std::uint32_t>& groups() const;
  std::uint32_t grouped_units() const;

 private:
  std::uint32_t units_ = 0;
  std::uint32_t changed_ = 0;
  std::span<const std::uint64_t> words_;
  std::span<const std::uint32_t> known_positions_;
  mutable bool has_positions_ = false, has_groups_ = false;
  mutable std::vector<std::uint32_t> positions_, groups_;
};

}  // namespace dstore
