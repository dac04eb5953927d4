#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "delta/block.h"
#include "delta/segment.h"

namespace dstore {

/// Old and new bytes of some units, equally long.
struct ValuePair {
  ByteSpan old_values;
  ByteSpan new_values;
};

/// Both sides of one piece to encode and a bit for each unit that differs. The task's side is given whole, or as its changes alone:
/// then a block of it is only made where a code covers unchanged units too.
class Piece {
 public:
  /// Buffers of one pass over the blocks, in any order.
  struct Scratch : BlockScratch {
    Bytes task;                          ///< a block of it
    std::size_t task_block = SIZE_MAX;   ///< which
  };

  Piece(const UnitType& unit, ByteSpan base, ByteSpan task);
  /// `changes` count from unit `first` of the tensor, where the piece starts.
  Piece(const UnitType& unit, std::uint64_t first, ByteSpan base, const Changes& changes);

  const UnitType unit;
  std::uint64_t changed() const { return changed_; }
  std::uint64_t units() const { return base_.size() / unit.bytes; }

  /// Before any of what follows.
  void cut(unsigned block_log2);
  std::size_t blocks() const { return static_cast<std::size_t>((units() + block_units_ - 1) / block_units_); }
  /// Positions are kept of one block at a time, unless the changes are known.
  const BlockScan& scan(std::size_t block) const;
  ByteSpan base_block(std::size_t block) const { return part(base_, block); }
  ByteSpan task_block(std::size_t block, Scratch& scratch) const;

  /// The values of the units that `code` covers.
  ValuePair covered_values(std::size_t block, const PositionCode& code, Scratch& scratch) const;
  /// The first few of them.
  ValuePair first_values(std::size_t block, const PositionCode& code, Scratch& scratch) const;

  /// What the piece's drift is judged by; nothing where it cannot have any that counts.
  struct Sample {
    Bytes old_values, new_values;
  };
  std::optional<Sample> drift_sample() const;

 private:
  ByteSpan part(ByteSpan whole, std::size_t block) const;
  /// The changes of a block, where they are known.
  ValuePair changes_of(std::size_t block) const;
  template <class U>
  std::optional<Sample> sample() const;

  ByteSpan base_, task_;
  const Changes* changes_ = nullptr;
  std::uint64_t first_ = 0;
  std::vector<std::size_t> starts_;       ///< of each block, in changes_
  std::vector<std::uint32_t> positions_;  ///< of the changes, each from its block's start
  std::vector<std::uint64_t> words_;
  mutable std::vector<BlockScan> scans_;
  mutable std::size_t scanned_ = 0;
  std::uint64_t changed_ = 0;
  std::uint64_t block_units_ = 0;
};

}  // namespace dstore
