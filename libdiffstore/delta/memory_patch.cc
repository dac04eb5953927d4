#include "delta/memory_patch.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "delta/residual.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::size_t kRangeUnits = std::size_t{1} << 19;  ///< a block's old values stay in the cache between check and write

constexpr std::size_t kAhead = 32;                         ///< units that are asked for before they are needed

std::uint64_t checksum(const std::byte* from, std::size_t size) { return XXH3_64bits(from, size); }

template <class Unit>
Unit load(const std::byte* from) {
  Unit value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

template <class Unit>
void MemoryPatch::add_range(std::uint32_t array, std::uint64_t offset, ByteSpan before, ByteSpan after) {
  const std::size_t units = before.size() / sizeof(Unit);
  Block block{array, sizeof(Unit), offset, 0, positions_.size(), values_.size(), 0, 0};
  for (std::size_t i = 0; i < units; ++i) {
    if (load<Unit>(&before[i * sizeof(Unit)]) != load<Unit>(&after[i * sizeof(Unit)])) positions_.push_back(static_cast<std::uint32_t>(i));
  }
  block.count = positions_.size() - block.positions;
  if (block.count == 0) return;
  changed_ += block.count;
  if (2 * block.count > units) {
    positions_.resize(block.positions);
    block.positions = kDense;
    block.count = units;
  }
  Bytes old_values(block.count * sizeof(Unit));
  values_.resize(block.values + old_values.size());
  std::byte* const new_values = values_.data() + block.values;
  for (std::size_t i = 0; i < block.count; ++i) {
    const std::size_t at = (block.positions == kDense ? i : positions_[block.positions + i]) * sizeof(Unit);
    std::memcpy(old_values.data() + i * sizeof(Unit), &before[at], sizeof(Unit));
    std::memcpy(new_values + i * sizeof(Unit), &after[at], sizeof(Unit));
  }
  block.old_check = checksum(old_values.data(), old_values.size());
  block.new_check = checksum(new_values, old_values.size());
  const auto next = std::upper_bound(blocks_.begin(), blocks_.end(), block, [](const Block& a, const Block& b) { return a.place() < b.place(); });
  blocks_.insert(next, block);
}

void MemoryPatch::add(std::uint32_t array, unsigned unit_bytes, std::uint64_t offset, ByteSpan before, ByteSpan after) {
  if (before.size() != after.size() || before.size() % unit_bytes != 0) throw Error(ErrorCode::invalid_argument, "a patch needs equally long whole units");
  with_unit(unit_bytes, [&]<class Unit>(Unit) {
    for (std::size_t at = 0; at < before.size(); at += kRangeUnits * sizeof(Unit)) {
      const std::size_t size = std::min(kRangeUnits * sizeof(Unit), before.size() - at);
      add_range<Unit>(array, offset + at, before.subspan(at, size), after.subspan(at, size));
    }
  });
}

std::uint64_t MemoryPatch::bytes() const {
  return blocks_.size() * sizeof(Block) + positions_.size() * sizeof(std::uint32_t) + values_.size();
}

void MemoryPatch::gather(const Block& block, MutableByteSpan array, std::byte* out) const {
  const std::byte* const from = array.data() + block.offset;
  if (block.positions == kDense) {
    std::memcpy(out, from, block.count * block.unit_bytes);
    return;
  }
  with_unit(block.unit_bytes, [&]<class Unit>(Unit) {
    const std::uint32_t* const at = positions_.data() + block.positions;
    const auto take = [&](std::size_t i) { std::memcpy(out + i * sizeof(Unit), from + std::size_t{at[i]} * sizeof(Unit), sizeof(Unit)); };
    // What is read is written next: the lines are asked for as such.
    const std::size_t ahead = block.count - std::min(block.count, kAhead);
    for (std::size_t i = 0; i < ahead; ++i) {
      __builtin_prefetch(from + std::size_t{at[i + kAhead]} * sizeof(Unit), 1);
      take(i);
    }
    for (std::size_t i = ahead; i < block.count; ++i) take(i);
  });
}

void MemoryPatch::scatter(const Block& block, const std::byte* values, MutableByteSpan array) const {
  std::byte* const to = array.data() + block.offset;
  if (block.positions == kDense) {
    std::memcpy(to, values, block.count * block.unit_bytes);
    return;
  }
  with_unit(block.unit_bytes, [&]<class Unit>(Unit) {
    const std::uint32_t* const at = positions_.data() + block.positions;
    for (std::size_t i = 0; i < block.count; ++i) std::memcpy(to + std::size_t{at[i]} * sizeof(Unit), values + i * sizeof(Unit), sizeof(Unit));
  });
}

bool MemoryPatch::put_on(const Block& block, std::span<const MutableByteSpan> arrays, MutableByteSpan undo) const {
  std::byte* const old_values = undo.data() + block.values;
  gather(block, arrays[block.array], old_values);
  if (checksum(old_values, block.count * block.unit_bytes) != block.old_check) return false;
  scatter(block, values_.data() + block.values, arrays[block.array]);
  return true;
}

bool MemoryPatch::take_off(const Block& block, std::span<const MutableByteSpan> arrays, ByteSpan undo, Bytes& scratch) const {
  const std::size_t size = block.count * block.unit_bytes;
  if (scratch.size() < size) scratch.resize(size);
  gather(block, arrays[block.array], scratch.data());
  if (checksum(scratch.data(), size) != block.new_check) return false;
  scatter(block, undo.data() + block.values, arrays[block.array]);
  return true;
}

bool MemoryPatch::apply(std::span<const MutableByteSpan> arrays, MutableByteSpan undo) const {
  const MemoryPatch nothing;
  return exchange(nothing, {}, *this, undo, arrays);
}

bool MemoryPatch::undo(std::span<const MutableByteSpan> arrays, ByteSpan undo) const {
  const MemoryPatch nothing;
  return exchange(*this, undo, nothing, {}, arrays);
}

bool MemoryPatch::exchange(const MemoryPatch& from, ByteSpan from_undo, const MemoryPatch& to, MutableByteSpan to_undo, std::span<const MutableByteSpan> arrays) {
  Bytes scratch;
  auto off = from.blocks_.begin();
  auto on = to.blocks_.begin();
  while (off != from.blocks_.end() || on != to.blocks_.end()) {
    const bool off_first = on == to.blocks_.end() || (off != from.blocks_.end() && off->place() <= on->place());
    if (off_first ? from.take_off(*off, arrays, from_undo, scratch) : to.put_on(*on, arrays, to_undo)) {
      ++(off_first ? off : on);
      continue;
    }
    while (off != from.blocks_.begin() || on != to.blocks_.begin()) {  // what was done last first
      const bool was_on = off == from.blocks_.begin() || (on != to.blocks_.begin() && std::prev(off)->place() <= std::prev(on)->place());
      if (was_on) {
        --on;
        to.scatter(*on, to_undo.data() + on->values, arrays[on->array]);
      } else {
        --off;
        from.scatter(*off, from.values_.data() + off->values, arrays[off->array]);
      }
    }
    return false;
  }
  return true;
}

}  // namespace dstore
