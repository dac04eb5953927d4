#include "delta/piece.h"

#include <algorithm>
#include <cstring>

#include "delta/bits.h"
#include "delta/drift.h"
#include "delta/kernels.h"
#include "delta/residual.h"

namespace dstore {

void put_changes(const Changes& changes, std::uint64_t first, std::size_t unit, MutableByteSpan target) {
  for (std::size_t i = 0; i < changes.positions.size(); ++i) {
    std::memcpy(&target[(changes.positions[i] - first) * unit], &changes.new_values[i * unit], unit);
  }
}

Piece::Piece(const UnitType& type, ByteSpan base, ByteSpan task) : unit(type), base_(base), task_(task), words_((units() + 63) / 64) {
  changed_ = kernels().compare(unit, base.data(), task.data(), static_cast<std::size_t>(units()), words_.data());
}

Piece::Piece(const UnitType& type, std::uint64_t first, ByteSpan base, const Changes& changes)
    : unit(type), base_(base), changes_(&changes), first_(first), words_((units() + 63) / 64), changed_(changes.positions.size()) {
  for (const std::uint64_t position : changes.positions) words_[(position - first) / 64] |= std::uint64_t{1} << (position - first) % 64;
}

void Piece::cut(unsigned block_log2) {
  block_units_ = std::uint64_t{1} << block_log2;
  if (changes_ == nullptr) return;
  const auto& positions = changes_->positions;
  auto from = positions.begin();
  for (std::size_t b = 0; b <= blocks(); ++b) {
    from = std::lower_bound(from, positions.end(), first_ + b * block_units_);
    starts_.push_back(static_cast<std::size_t>(from - positions.begin()));
  }
}

void Piece::scan(std::size_t block, BlockScan& out) const {
  const std::uint64_t begin = block * block_units_;
  out.reset(std::span(words_).subspan(static_cast<std::size_t>(begin / 64)), static_cast<std::uint32_t>(std::min(block_units_, units() - begin)));
}

ByteSpan Piece::part(ByteSpan whole, std::size_t block) const {
  const std::size_t bytes = static_cast<std::size_t>(block_units_) * unit.bytes;
  return whole.subspan(block * bytes, std::min(bytes, whole.size() - block * bytes));
}

ValuePair Piece::changes_of(std::size_t block) const {
  const std::size_t begin = starts_[block] * unit.bytes, size = (starts_[block + 1] - starts_[block]) * unit.bytes;
  return {ByteSpan(changes_->old_values).subspan(begin, size), ByteSpan(changes_->new_values).subspan(begin, size)};
}

ByteSpan Piece::task_block(std::size_t block, Scratch& scratch) const {
  if (changes_ == nullptr) return part(task_, block);
  const ByteSpan base = base_block(block);
  if (scratch.task_block != block) {
    scratch.task_block = block;
    scratch.task.assign(base.begin(), base.end());
    const std::uint64_t from = first_ + block * block_units_;
    for (std::size_t i = starts_[block]; i < starts_[block + 1]; ++i) {
      std::memcpy(&scratch.task[(changes_->positions[i] - from) * unit.bytes], &changes_->new_values[i * unit.bytes], unit.bytes);
    }
  }
  return ByteSpan(scratch.task).first(base.size());
}

ValuePair Piece::covered_values(std::size_t block, const BlockScan& scan, const PositionCode& code, Scratch& scratch) const {
  cover(scan, code, scratch.covered);
  if (changes_ != nullptr && scratch.covered.count == scan.changed()) return changes_of(block);
  return {gather(unit, scratch.covered, base_block(block), scratch.old_values),
          gather(unit, scratch.covered, task_block(block, scratch), scratch.new_values)};
}

ValuePair Piece::first_values(std::size_t block, const BlockScan& scan, const PositionCode& code, Scratch& scratch) const {
  constexpr std::size_t kFew = 64;
  const bool all = code.within == Within::all;
  if (changes_ != nullptr && !all) {
    const ValuePair changes = changes_of(block);
    const std::size_t size = std::min(changes.old_values.size(), kFew * unit.bytes);
    return {changes.old_values.first(size), changes.new_values.first(size)};
  }
  Covered few;
  few.form = Covered::Form::list;
  for (std::uint32_t i = 0; i < scan.units() && few.positions.size() < kFew; ++i) {
    if (all || (scan.words()[i / 64] >> i % 64 & 1) != 0) few.positions.push_back(i);
  }
  few.count = few.positions.size();
  return {gather(unit, few, base_block(block), scratch.old_values), gather(unit, few, task_block(block, scratch), scratch.new_values)};
}

template <class U>
std::optional<Piece::Sample> Piece::sample() const {
  const std::uint64_t stride = Drift::sample_stride(units());
  const std::size_t count = static_cast<std::size_t>((units() + stride - 1) / stride);
  std::vector<std::pair<std::size_t, std::size_t>> moved;  // place in the sample, in the changes
  if (changes_ != nullptr) {
    const ResidualMap<U> map(unit);
    std::uint64_t next = 0, cost = 0;
    for (std::size_t i = 0; i < changes_->positions.size(); ++i) {
      const std::uint64_t at = changes_->positions[i] - first_;
      if (at > next) next = (at + stride - 1) / stride * stride;
      if (at != next) continue;
      moved.emplace_back(at / stride, i);
      cost += Drift::bit_cost(map.residual(load_le<U>(&changes_->old_values[i * sizeof(U)]), load_le<U>(&changes_->new_values[i * sizeof(U)])));
    }
    if (!Drift::can_pay(cost, count)) return std::nullopt;
  }
  Sample out{Bytes(count * sizeof(U)), {}};
  const auto take = [&](ByteSpan from, Bytes& to) {
    for (std::size_t i = 0; i < count; ++i) std::memcpy(&to[i * sizeof(U)], &from[i * stride * sizeof(U)], sizeof(U));
  };
  take(base_, out.old_values);
  out.new_values = out.old_values;
  if (changes_ == nullptr) take(task_, out.new_values);
  for (const auto& [place, i] : moved) std::memcpy(&out.new_values[place * sizeof(U)], &changes_->new_values[i * sizeof(U)], sizeof(U));
  return out;
}

std::optional<Piece::Sample> Piece::drift_sample() const {
  if (!Drift::fits(unit)) return std::nullopt;
  return with_unit(unit.bytes, [&]<class U>(U) { return sample<U>(); });
}

}  // namespace dstore
