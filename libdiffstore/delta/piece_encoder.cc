#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string>

#include "delta/bits.h"
#include "delta/block.h"
#include "delta/kernels.h"
#include "delta/layout.h"
#include "delta/residual.h"
#include "delta/segment.h"
#include "delta/value_coders.h"
#include "dstore/error.h"

namespace dstore {

using namespace segment_layout;

namespace {

/// Whole groups are tried where at least one unit in this many of the touched groups changed: the others cost a bit each.
constexpr std::uint64_t kDenseShare = 16;
constexpr std::uint64_t kFastDenseShare = 8;
/// Units whose cells are worked out at a time.
constexpr std::size_t kCells = 2048;

struct Piece {
  const UnitType& unit;
  ByteSpan base;
  ByteSpan task;
  std::size_t block_bytes;

  std::size_t blocks() const { return (base.size() + block_bytes - 1) / block_bytes; }
  ByteSpan block(ByteSpan whole, std::size_t index) const {
    return whole.subspan(index * block_bytes, std::min(block_bytes, whole.size() - index * block_bytes));
  }
};

/// Counts the tokens of pairs by exponent; two counters each, so that neighbours do not wait for one another.
class TokenCounter {
 public:
  explicit TokenCounter(const UnitType& unit) : unit_(unit), even_(empty_histogram(unit)), odd_(empty_histogram(unit)), cells_(kCells) {}

  /// Returns the OR of the residuals.
  std::uint64_t add(ByteSpan old_values, ByteSpan new_values) {
    std::uint64_t all = 0;
    residuals_.resize(kCells * unit_.bytes);
    const std::size_t step = kCells * unit_.bytes;
    for (std::size_t at = 0; at < old_values.size(); at += step) {
      const std::size_t count = std::min(step, old_values.size() - at) / unit_.bytes;
      all |= kernels().cells(unit_, old_values.data() + at, new_values.data() + at, count, cells_.data(), residuals_.data());
      for (std::size_t i = 0; i + 1 < count; i += 2) {
        ++even_[cells_[i]];
        ++odd_[cells_[i + 1]];
      }
      if (count % 2 != 0) ++even_[cells_[count - 1]];
    }
    return all;
  }
  TokenHistogram take() {
    for (std::size_t i = 0; i < even_.size(); ++i) even_[i] += odd_[i];
    return std::move(even_);
  }

 private:
  const UnitType& unit_;
  TokenHistogram even_, odd_;
  std::vector<std::uint32_t> cells_;
  Bytes residuals_;
};

/// What one way to cover the changes costs, in bytes.
struct Plan {
  std::vector<PositionCode> positions;  ///< of each block
  std::vector<std::uint8_t> widths;     ///< bit length of the largest residual of each block
  std::uint64_t position_bytes = 0;     ///< with the block headers
  std::uint64_t plain_bytes = 0;        ///< of the values, each block without the model
  TokenHistogram histogram;
};

/// The plan to cover exactly the changed units, or all units of their groups.
Plan make_plan(const Piece& piece, Profile profile, bool dense) {
  Plan plan;
  TokenCounter counter(piece.unit);
  BlockScan scan;
  BlockScratch scratch;
  for (std::size_t b = 0; b < piece.blocks(); ++b) {
    const ByteSpan base = piece.block(piece.base, b);
    const ByteSpan task = piece.block(piece.task, b);
    scan_block(piece.unit, base, task, scan);
    plan.positions.emplace_back();
    plan.widths.push_back(0);
    if (scan.changed.empty()) continue;
    const PositionCode code = dense ? choose_groups(scan, profile) : choose_positions(scan, profile);
    cover(scan, code, scratch.covered);
    const ByteSpan old_values = gather(piece.unit, scratch.covered, base, scratch.old_values);
    const ByteSpan new_values = gather(piece.unit, scratch.covered, task, scratch.new_values);
    const auto width = static_cast<std::uint8_t>(std::bit_width(counter.add(old_values, new_values)));
    plan.positions.back() = code;
    plan.widths.back() = width;
    plan.position_bytes += kBlockHeaderBytes + code.bytes;
    // Which way to cover is settled by the share of changes in the fast profile, which has no model either.
    if (profile == Profile::compact) plan.plain_bytes += plain_bytes({piece.unit, old_values, new_values, width}, profile);
  }
  plan.histogram = counter.take();
  return plan;
}

struct Choice {
  std::uint64_t bytes = UINT64_MAX;
  Plan plan;
  std::optional<ContextModel> model;
};

/// Takes `plan` where it is smaller, with a model or without.
void consider(Plan plan, Profile profile, Choice& best) {
  const std::uint64_t plain = plan.position_bytes + plan.plain_bytes;
  std::optional<ContextModel> model;
  std::uint64_t bytes = plain;
  if (profile == Profile::compact) {
    ContextModel tried(plan.histogram);
    const std::uint64_t coded = plan.position_bytes + tried.written_bytes() + (tried.coded_bits(plan.histogram) + 7) / 8;
    if (coded < plain) bytes = coded, model.emplace(std::move(tried));
  }
  if (bytes < best.bytes) best = {bytes, std::move(plan), std::move(model)};
}

/// Units in the touched groups, over all blocks.
std::uint64_t touched_units(const Piece& piece) {
  std::uint64_t total = 0;
  BlockScan scan;
  const std::uint64_t group = 1u << kDenseGroupLog2;
  for (std::size_t b = 0; b < piece.blocks(); ++b) {
    scan_block(piece.unit, piece.block(piece.base, b), piece.block(piece.task, b), scan);
    for (std::uint32_t g : scan.groups) total += std::min<std::uint64_t>(group, scan.units - g * group);
  }
  return total;
}

Choice choose(const Piece& piece, std::uint64_t changed, Profile profile) {
  Choice choice;
  const bool maybe_dense = changed >= piece.base.size() / piece.unit.bytes / (kDenseShare << kDenseGroupLog2);
  const std::uint64_t touched = maybe_dense ? touched_units(piece) : UINT64_MAX / kDenseShare;
  const std::uint64_t share = profile == Profile::compact ? kDenseShare : kFastDenseShare;
  const bool dense = share * changed >= touched;
  if (!dense || (profile == Profile::compact && changed < touched)) consider(make_plan(piece, profile, false), profile, choice);
  if (dense) consider(make_plan(piece, profile, true), profile, choice);
  return choice;
}

/// Long blocks where few units changed, to spread their headers; short ones where many did, to spread work.
unsigned choose_block_log2(const UnitType& unit, std::uint64_t units, std::uint64_t changed) {
  unsigned log2 = kDenseBlockLog2;
  while (log2 < kMaxBlockLog2 && (std::uint64_t{unit.bytes} << (log2 + 1)) <= kMaxBlockBytes && (changed << log2) / units < kChangesInBlock) ++log2;
  return log2;
}

void check_arguments(const UnitType& unit, std::uint64_t first, ByteSpan base, ByteSpan task) {
  const bool fits = !base.empty() && base.size() == task.size() && base.size() <= kPieceBytes && base.size() % unit.bytes == 0;
  if (!fits || first % (kPieceBytes / unit.bytes) != 0) {
    throw Error(ErrorCode::invalid_argument, "a piece must be 1 element to 16 MiB of base and task, on the grid of pieces");
  }
}

}  // namespace

std::uint64_t count_changed(DType dtype, ByteSpan base, ByteSpan task) {
  const UnitType& unit = unit_type(dtype);
  if (base.size() != task.size() || base.size() % unit.bytes != 0) {
    throw Error(ErrorCode::invalid_argument, "tensors to compare have different sizes");
  }
  constexpr std::size_t kStep = 1024;
  return with_unit(unit.bytes, [&]<class U>(U) {
    std::uint64_t changed = 0;
    for (std::size_t at = 0; at < base.size(); at += kStep) {
      const std::size_t size = std::min(kStep, base.size() - at);
      if (std::memcmp(base.data() + at, task.data() + at, size) == 0) continue;
      for (std::size_t i = at; i < at + size; i += sizeof(U)) changed += load_le<U>(base.data() + i) != load_le<U>(task.data() + i);
    }
    return changed;
  });
}

EncodedPiece encode_piece(DType dtype, std::uint64_t first, ByteSpan base, ByteSpan task, Profile profile) {
  const UnitType& unit = unit_type(dtype);
  check_arguments(unit, first, base, task);
  EncodedPiece encoded;
  encoded.changed = count_changed(dtype, base, task);
  if (encoded.changed == 0) return encoded;

  const std::uint64_t units = base.size() / unit.bytes;
  const unsigned block_log2 = choose_block_log2(unit, units, encoded.changed);
  const Piece piece{unit, base, task, std::size_t{unit.bytes} << block_log2};
  const Choice choice = choose(piece, encoded.changed, profile);
  std::optional<ModelEncoder> model;
  if (choice.model) model.emplace(*choice.model, unit);

  Writer head;
  head.u32(0);
  head.u8(static_cast<std::uint8_t>(dtype));
  head.u8(static_cast<std::uint8_t>(block_log2));
  head.u8(static_cast<std::uint8_t>(choice.model ? choice.model->tables() : 0));
  head.u8(0);
  head.u64(first);
  head.u32(static_cast<std::uint32_t>(units));
  head.u32(static_cast<std::uint32_t>(encoded.changed));
  if (choice.model) choice.model->write(head);
  const std::size_t sizes_at = head.size();
  for (std::size_t b = 0; b < piece.blocks(); ++b) head.u32(0);

  Bytes& out = encoded.bytes;
  out = head.take();
  BlockScan scan;
  BlockScratch scratch;
  for (std::size_t b = 0; b < piece.blocks(); ++b) {
    const ByteSpan block_base = piece.block(base, b);
    const ByteSpan block_task = piece.block(task, b);
    scan_block(unit, block_base, block_task, scan);
    if (scan.changed.empty()) continue;
    const std::size_t begin = out.size();
    encode_block(unit, scan, choice.plan.positions[b], choice.plan.widths[b], model ? &*model : nullptr, profile, block_base, block_task,
                 scratch, out);
    store_le(&out[sizes_at + 4 * b], static_cast<std::uint32_t>(out.size() - begin));
  }
  store_le(out.data(), static_cast<std::uint32_t>(out.size()));
  return encoded;
}

}  // namespace dstore
