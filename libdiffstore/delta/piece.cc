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
  if (changes_ != nullptr) {
    const auto& positions = changes_->positions;
    auto from = positions.begin();
    for (std::size_t b = 0; b <= blocks(); ++b) {
      from = std::lower_bound(from, positions.end(), first_ + b * block_units_);
      starts_.push_back(static_cast<std::size_t>(from - positions.begin()));
    }
    positions_.resize(positions.size());
    std::transform(positions.begin(), positions.end(), positions_.begin(),
                   [first = first_, mask = block_units_ - 1](std::uint64_t position) { return static_cast<std::uint32_t>((position - first) & mask); });
  }
  scans_.resize(blocks());
  for (std::size_t b = 0; b < blocks(); ++b) {
    const std::uint64_t begin = b * block_units_;
    const auto words = std::span(words_).subspan(static_cast<std::size_t>(begin / 64));
    const auto units = static_cast<std::uint32_t>(std::min(block_units_, this->units() - begin));
    if (changes_ == nullptr) scans_[b].reset(words, units);
    else scans_[b].reset(words, units, std::span(positions_).subspan(starts_[b], starts_[b + 1] - starts_[b]));
  }
}

const BlockScan& Piece::scan(std::size_t block) const {
  if (block != scanned_) scans_[scanned_].forget_positions();
  scanned_ = block;
  return scans_[block];
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

ValuePair Piece::covered_values(std::size_t block, const PositionCode& code, Scratch& scratch) const {
  if (changes_ != nullptr && code.within != Within::all) return changes_of(block);
  cover(scan(block), code, scratch.covered);
  return {gather(unit, scratch.covered, base_block(block), scratch.old_values),
          gather(unit, scratch.covered, task_block(block, scratch), scratch.new_values)};
}

ValuePair Piece::first_values(std::size_t block, const PositionCode& code, Scratch& scratch) const {
  const BlockScan& scan = this->scan(block);
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
    // Times the inverse of an odd number modulo 2^64, its multiples give small quotients, and nothing else does.
    std::uint64_t inverse = stride;
    for (int bits = 3; bits < 64; bits *= 2) inverse *= 2 - stride * inverse;
    const ResidualMap<U> map(unit);
    const std::uint64_t* const positions = changes_->positions.data();
    std::uint64_t cost = 0;
    for (std::size_t i = 0; i < changes_->positions.size(); ++i) {
      const std::uint64_t place = (positions[i] - first_) * inverse;
      if (place >= count) continue;
      moved.emplace_back(place, i);
      cost += Drift::bit_cost(map.residual(load_le<U>(&changes_->old_values[i * sizeof(U)]), load_le<U>(&changes_->new_values[i * sizeof(U)])));
    }
    if (!Drift::can_pay(cost, count)) return std::nullopt;
  }
  Sample out{Bytes(count * sizeof(U)), {}};
  const auto take = [&](ByteSpan from, Bytes& to) {
    constexpr std::size_t kAhead = 32;  // each lies in a cache line of its own
    for (std::size_t i = 0; i < count; ++i) {
      __builtin_prefetch(from.data() + std::min(i + kAhead, count - 1) * stride * sizeof(U));
      std::memcpy(to.data() + i * sizeof(U), from.data() + i * stride * sizeof(U), sizeof(U));
    }
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
