#include "repo/change_window.h"

#include <algorithm>
#include <cstring>

#include "delta/element.h"

namespace dstore {
namespace {

/// The changes among `all` at positions [from, to).
Changes slice(const Changes& all, std::uint64_t from, std::uint64_t to, std::uint64_t unit) {
  const auto begin = std::lower_bound(all.positions.begin(), all.positions.end(), from);
  const auto end = std::lower_bound(begin, all.positions.end(), to);
  const auto at = [&](const Bytes& values, auto position) {
    return values.begin() + static_cast<std::ptrdiff_t>(unit) * (position - all.positions.begin());
  };
  return {{begin, end}, {at(all.old_values, begin), at(all.old_values, end)}, {at(all.new_values, begin), at(all.new_values, end)}};
}

void append(const Changes& more, Changes& out) {
  out.positions.insert(out.positions.end(), more.positions.begin(), more.positions.end());
  out.old_values.insert(out.old_values.end(), more.old_values.begin(), more.old_values.end());
  out.new_values.insert(out.new_values.end(), more.new_values.begin(), more.new_values.end());
}

}  // namespace

ChangeWindow::ChangeWindow(const StoredWeights& task, std::size_t index, std::uint64_t first, std::uint64_t count, std::uint64_t base_units)
    : task_(task), index_(index), first_(first), base_units_(base_units) {
  const TensorInfo& info = task.tensors()[index];
  unit_ = unit_type(info.dtype).bytes;
  const std::uint64_t units = info.bytes / unit_;
  count_ = std::min(count, units - std::min(units, first));
  const DeltaOp op = task.derived(index)->op;
  always_ = op != DeltaOp::modify;
  by_factors_ = op == DeltaOp::low_rank;
  task.for_each_piece(index, first_, count_, [&](const SegmentReader& reader, std::size_t piece) {
    changed_ += reader.pieces()[piece].changed;
    block_ = std::max(block_, reader.pieces()[piece].block);
  });
}

std::uint64_t ChangeWindow::memory(std::uint64_t step) const {
  const std::uint64_t listed = by_factors_ || !has_coarse_blocks(step) ? std::min(step, by_factors_ ? count_ : changed_) : 2 * changed_;
  return count_ * unit_ * (by_factors_ ? 2 : always_ ? 1 : 0) + listed * (sizeof(std::uint64_t) + 2 * unit_);
}

void ChangeWindow::open(ByteSpan base, std::uint64_t step) {
  step_ = step;
  before_ = base;
  const DerivedTensor& derived = *task_.derived(index_);
  if (always_) {
    own_before_.resize(count_ * unit_);
    if (by_factors_) {
      derived.base->read(derived.index, first_ * unit_, own_before_);
      after_.resize(own_before_.size());
      task_.read(index_, first_ * unit_, after_);
    } else {
      derived.read(first_ * unit_, own_before_);
    }
    before_ = own_before_;
  }
  if (!by_factors_ && has_coarse_blocks(step)) held_ = collect(first_, count_);
}

Changes ChangeWindow::step(std::uint64_t from) const {
  if (from < first_ || from >= first_ + count_) return {};
  const std::uint64_t count = std::min(step_, first_ + count_ - from);
  if (by_factors_) return compare(from, count);
  Changes out = held_ ? slice(*held_, from, from + count, unit_) : collect(from, count);
  if (from + count > base_units_) out = slice(out, from, base_units_, unit_);
  return out;
}

Changes ChangeWindow::collect(std::uint64_t from, std::uint64_t count) const {
  Changes out;
  const ByteSpan before = before_.subspan((from - first_) * unit_, count * unit_);
  task_.for_each_piece(index_, from, count, [&](const SegmentReader& reader, std::size_t piece) {
    Changes changes = reader.changes(piece, from, before, task_.tensors()[index_].name);
    if (out.positions.empty()) {
      out = std::move(changes);
    } else {
      append(changes, out);
    }
  });
  return out;
}

Changes ChangeWindow::compare(std::uint64_t from, std::uint64_t count) const {
  Changes out;
  for (std::uint64_t i = from; i < std::min(from + count, base_units_); ++i) {
    const std::byte* before = before_.data() + (i - first_) * unit_;
    const std::byte* after = after_.data() + (i - first_) * unit_;
    if (std::memcmp(before, after, unit_) == 0) continue;
    out.positions.push_back(i);
    out.old_values.insert(out.old_values.end(), before, before + unit_);
    out.new_values.insert(out.new_values.end(), after, after + unit_);
  }
  return out;
}

}  // namespace dstore
