#include <algorithm>
#include <cstring>
#include <optional>

#include "delta/bits.h"
#include "delta/block.h"
#include "delta/residual.h"
#include "delta/segment.h"
#include "delta/value_coders.h"
#include "dstore/error.h"

namespace dstore {

using namespace segment_layout;

namespace {

/// The part of a piece that lies in a caller's range, in units of the tensor.
struct Overlap {
  std::uint64_t begin;
  std::uint64_t end;
  bool empty() const { return begin >= end; }
};

Overlap overlap(const PieceInfo& info, unsigned unit_bytes, std::uint64_t first, std::size_t size) {
  if (size % unit_bytes != 0) throw Error(ErrorCode::invalid_argument, "a range must hold whole elements");
  const std::uint64_t last = checked_add(first, size / unit_bytes, "range of elements");
  const std::uint64_t piece_end = info.first + info.count;
  const Overlap both{std::max(first, info.first), std::min(last, piece_end)};
  const auto on_grid = [&](std::uint64_t at) { return at == piece_end || (at - info.first) % info.block == 0; };
  if (!both.empty() && !(on_grid(both.begin) && on_grid(both.end))) throw Error(ErrorCode::invalid_argument, "a range must not cut a block of the piece");
  return both;
}

/// Appends the units that a decoded block lists: all of them changed, as decode_block() has checked.
void append_listed(const Covered& covered, const DecodedBlock& block, std::uint64_t first, Changes& out) {
  const std::size_t to = out.positions.size();
  out.positions.resize(to + covered.count);
  std::transform(covered.positions.data(), covered.positions.data() + covered.count, out.positions.data() + to, [=](std::uint32_t at) { return first + at; });
  out.old_values.insert(out.old_values.end(), block.old_values.begin(), block.old_values.end());
  out.new_values.insert(out.new_values.end(), block.new_values.begin(), block.new_values.end());
}

/// The same of any block, of which some units may not have changed; `first` is the block's first unit in the tensor.
void append_changes(const UnitType& unit, const Covered& covered, const DecodedBlock& block, std::uint64_t first, Changes& out) {
  if (covered.form == Covered::Form::list) return append_listed(covered, block, first, out);
  with_unit(unit.bytes, [&]<class U>(U) {
    std::size_t to = out.positions.size();
    const auto resize = [&](std::size_t count) {
      out.positions.resize(count);
      out.old_values.resize(count * sizeof(U));
      out.new_values.resize(count * sizeof(U));
    };
    resize(to + covered.count);
    const std::byte* old_value = block.old_values.data();
    const std::byte* new_value = block.new_values.data();
    // Written in any case, and overwritten by the next where nothing changed.
    const auto visit = [&](std::uint64_t position) {
      const U before = load_le<U>(old_value), after = load_le<U>(new_value);
      out.positions[to] = first + position;
      store_le(&out.old_values[to * sizeof(U)], before);
      store_le(&out.new_values[to * sizeof(U)], after);
      to += before != after;
      old_value += sizeof(U);
      new_value += sizeof(U);
    };
    const UnitRun whole{0, static_cast<std::uint32_t>(covered.count)};
    for (const UnitRun& run : covered.form == Covered::Form::all ? std::span(&whole, 1) : std::span<const UnitRun>(covered.runs)) {
      for (std::uint32_t i = run.begin; i < run.end; ++i) visit(i);
    }
    resize(to);
  });
}

}  // namespace

/// Decodes the blocks of a piece within a range, one by one: take(block's offset in the range in bytes, its units from
/// the tensor's start, what it covers, the values).
template <class Base, class Take>
void SegmentReader::for_each_block(std::size_t index, std::uint64_t first, Base base, std::string_view tensor, Take take) const {
  if (index >= pieces_.size()) throw Error(ErrorCode::invalid_argument, what_ + ": no piece " + std::to_string(index));
  const PieceInfo& info = info_[index];
  const Piece& piece = pieces_[index];
  const UnitType& unit = unit_type(info.dtype);
  const Overlap both = overlap(info, unit.bytes, first, base.size());
  if (both.empty()) return;

  std::optional<ModelDecoder> model;
  BlockScratch scratch;
  Reader sizes(piece.bytes.subspan(piece.blocks), what_);
  Reader blocks(piece.bytes.subspan(piece.blocks), what_);
  blocks.bytes(4 * ((info.count + info.block - 1) / info.block));
  for (std::uint64_t begin = info.first; begin < both.end; begin += info.block) {
    const std::uint32_t size = sizes.u32();
    const ByteSpan encoded = blocks.bytes(size);
    if (size == 0 || begin < both.begin) continue;
    const std::uint64_t units = std::min(info.block, info.first + info.count - begin);
    const std::size_t offset = static_cast<std::size_t>((begin - first) * unit.bytes);
    Reader head(encoded, what_);
    const BlockHeader header = parse_block_header(head, unit, static_cast<std::uint32_t>(units), piece.table_count != 0);
    if (find_value_coder(header.coder)->uses_model && !model) {
      Reader tables(piece.bytes.subspan(piece.tables), what_);
      const ContextModel context(tables, piece.table_count, unit);
      model.emplace(context, unit, piece.drift_log2 != 0 ? std::optional(Drift(tables, piece.drift_log2, unit)) : std::nullopt);
    }
    const DecodedBlock block = decode_block(unit, header, encoded.subspan(head.offset()), model ? &*model : nullptr,
                                            base.subspan(offset, units * unit.bytes), scratch, {what_, tensor, begin, units});
    take(offset, begin, scratch.covered, block);
  }
}

void SegmentReader::apply(std::size_t index, std::uint64_t first, MutableByteSpan target, std::string_view tensor) const {
  for_each_block(index, first, target, tensor, [&](std::size_t offset, std::uint64_t, const Covered& covered, const DecodedBlock& block) {
    scatter(unit_type(info_[index].dtype), covered, block.new_values, target.subspan(offset));
  });
}

Changes SegmentReader::changes(std::size_t index, std::uint64_t first, ByteSpan base, std::string_view tensor) const {
  Changes out;
  constexpr std::uint64_t kMostTrusted = 1 << 20;  // of what a piece says without having been read
  if (index < info_.size()) {
    const std::uint64_t count = std::min(info_[index].changed, kMostTrusted), unit = unit_type(info_[index].dtype).bytes;
    out.positions.reserve(count);
    out.old_values.reserve(count * unit);
    out.new_values.reserve(count * unit);
  }
  for_each_block(index, first, base, tensor, [&](std::size_t, std::uint64_t begin, const Covered& covered, const DecodedBlock& block) {
    append_changes(unit_type(info_[index].dtype), covered, block, begin, out);
  });
  return out;
}

}  // namespace dstore
