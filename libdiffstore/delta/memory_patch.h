#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace dstore {

/// Where arrays in memory differ from what they are to become, and the new values: decoded once, put in place often. Blocks of
/// positions and values with checksums of the values before and after; a range of which more than half changes has no
/// positions. Immutable once built; several arrays may be exchanged with one patch at once.
class MemoryPatch {
 public:
  /// Adds what differs between `before` and `after`: equally long whole units of 1, 2, 4 or 8 bytes, at most 2^30 units, from byte
  /// `offset` of array `array` on.
  void add(std::uint32_t array, unsigned unit_bytes, std::uint64_t offset, ByteSpan before, ByteSpan after);

  std::uint64_t changed() const { return changed_; }  ///< units
  /// Of memory that it takes; apply() needs values_bytes() more for the undo list.
  std::uint64_t bytes() const;
  std::uint64_t values_bytes() const { return values_.size(); }

  /// Puts the new values in place and what stood there into `undo` (values_bytes() long). Each block is compared with its checksum
  /// before it is written; false, and everything is as it was, where one differs.
  bool apply(std::span<const MutableByteSpan> arrays, MutableByteSpan undo) const;
  /// The reverse, with what apply() left in `undo`; false, and everything is as it was, where the new values are not there.
  bool undo(std::span<const MutableByteSpan> arrays, ByteSpan undo) const;
  /// from.undo() and then to.apply(), in one pass over the arrays: cache lines and pages that both touch come from memory once.
  /// Ranges that were added to both must be equal or apart.
  static bool exchange(const MemoryPatch& from, ByteSpan from_undo, const MemoryPatch& to, MutableByteSpan to_undo, std::span<const MutableByteSpan> arrays);

 private:
  struct Block {
    std::uint32_t array;
    std::uint32_t unit_bytes;
    std::uint64_t offset;       ///< in the array, bytes; positions count units from here
    std::size_t count;          ///< units
    std::size_t positions;      ///< index of the first one in positions_; kDense: the units follow each other
    std::size_t values;         ///< offset in values_
    std::uint64_t old_check;
    std::uint64_t new_check;
    std::pair<std::uint32_t, std::uint64_t> place() const { return {array, offset}; }
  };
  static constexpr std::size_t kDense = SIZE_MAX;

  template <class Unit>
  void add_range(std::uint32_t array, std::uint64_t offset, ByteSpan before, ByteSpan after);
  void gather(const Block& block, MutableByteSpan array, std::byte* out) const;
  /// False, and the array is as it was, where it has not the old (new) values.
  bool put_on(const Block& block, std::span<const MutableByteSpan> arrays, MutableByteSpan undo) const;
  bool take_off(const Block& block, std::span<const MutableByteSpan> arrays, ByteSpan undo, Bytes& scratch) const;
  void scatter(const Block& block, const std::byte* values, MutableByteSpan array) const;

  std::vector<Block> blocks_;  ///< by place
  std::vector<std::uint32_t> positions_;
  Bytes values_;
  std::uint64_t changed_ = 0;
};

}  // namespace dstore
