#include <algorithm>
#include <bit>
#include <optional>
#include <string>

#include "delta/bits.h"
#include "delta/block.h"
#include "delta/kernels.h"
#include "delta/layout.h"
#include "delta/piece.h"
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

  void add(const PositionCode& code, unsigned width, std::uint64_t plain) {
    positions.push_back(code);
    widths.push_back(static_cast<std::uint8_t>(width));
    position_bytes += kBlockHeaderBytes + code.bytes;
    plain_bytes += plain;
  }
  void add_unchanged() {
    positions.emplace_back();
    widths.push_back(0);
  }
};

/// Values of `count` covered units without the model. All of them are gathered only where the first few suit a coder that needs them.
std::uint64_t plain_size(const Piece& piece, std::size_t block, const PositionCode& code, std::uint64_t count, unsigned width, Piece::Scratch& scratch) {
  const std::uint64_t plain = std::min<std::uint64_t>(count * piece.unit.bytes, (count * width + 7) / 8);
  if (code.within == Within::all && code.group_log2 != 0) return plain;
  const ValuePair few = piece.first_values(block, code, scratch);
  if (!has_special_coder({piece.unit, few.old_values, few.new_values, width})) return plain;
  const ValuePair values = piece.covered_values(block, code, scratch);
  return plain_bytes({piece.unit, values.old_values, values.new_values, width});
}

/// The plan to which add(block, scan, plan) adds each block with a change.
template <class Add>
Plan plan_blocks(const Piece& piece, Add add) {
  Plan plan;
  for (std::size_t b = 0; b < piece.blocks(); ++b) {
    const BlockScan& scan = piece.scan(b);
    if (scan.changed() == 0) {
      plan.add_unchanged();
    } else {
      add(b, scan, plan);
    }
  }
  return plan;
}

/// The plan of the fast profile: no model, and so no tokens; widths as if nothing could be packed.
Plan plan_fast(const Piece& piece, bool dense) {
  return plan_blocks(piece, [&](std::size_t, const BlockScan& scan, Plan& plan) {
    plan.add(dense ? choose_groups(scan, Profile::fast) : choose_positions(scan, Profile::fast), 8u * piece.unit.bytes, 0);
  });
}

/// Only the changed units are covered. Their tokens are those of the dense plan, or counted here where there is none.
Plan plan_sparse(const Piece& piece, const Plan* dense) {
  TokenCounter counter(piece.unit);
  Piece::Scratch scratch;
  Plan plan = plan_blocks(piece, [&](std::size_t b, const BlockScan& scan, Plan& out) {
    const PositionCode code = choose_positions(scan, Profile::compact);
    unsigned width = dense != nullptr ? dense->widths[b] : 0;
    if (dense == nullptr) {
      const ValuePair values = piece.covered_values(b, code, scratch);
      width = static_cast<unsigned>(std::bit_width(counter.add(values.old_values, values.new_values)));
    }
    out.add(code, width, plain_size(piece, b, code, scan.changed(), width, scratch));
  });
  plan.histogram = dense != nullptr ? dense->histogram : counter.take();
  for (std::size_t i = 0; i < plan.histogram.size(); i += kTokens) plan.histogram[i] = 0;  // token 0: unchanged
  return plan;
}

/// All units of the groups with a change are covered.
Plan plan_dense(const Piece& piece) {
  TokenCounter counter(piece.unit);
  Piece::Scratch scratch;
  Plan plan = plan_blocks(piece, [&](std::size_t b, const BlockScan& scan, Plan& out) {
    const PositionCode code = choose_groups(scan, Profile::compact);
    cover(scan, code, scratch.covered);
    if (scratch.covered.form == Covered::Form::all) scratch.covered.runs = {{0, scan.units()}};
    const ByteSpan base = piece.base_block(b), task = piece.task_block(b, scratch);
    std::uint64_t all = 0;
    for (const UnitRun& run : scratch.covered.runs) {
      const std::size_t begin = std::size_t{run.begin} * piece.unit.bytes, size = std::size_t{run.end - run.begin} * piece.unit.bytes;
      all |= counter.add(base.subspan(begin, size), task.subspan(begin, size));
    }
    const auto width = static_cast<unsigned>(std::bit_width(all));
    out.add(code, width, plain_size(piece, b, code, scratch.covered.count, width, scratch));
  });
  plan.histogram = counter.take();
  return plan;
}

struct Choice {
  std::uint64_t bytes = UINT64_MAX;
  Plan plan;
  std::optional<ContextModel> model;
  std::optional<Drift> drift;  ///< only with a model
};

/// Takes `plan` where it is smaller, with a model or without.
void consider(Plan plan, Choice& best) {
  const std::uint64_t plain = plan.position_bytes + plan.plain_bytes;
  ContextModel model(plan.histogram);
  const std::uint64_t coded = plan.position_bytes + model.written_bytes() + (model.coded_bits(plan.histogram) + 7) / 8;
  if (std::min(plain, coded) >= best.bytes) return;
  best = {std::min(plain, coded), std::move(plan), std::nullopt, std::nullopt};
  if (coded < plain) best.model.emplace(std::move(model));
}

/// Takes the residuals against the piece's drift, if it has one and they are smaller.
void consider_drift(const Piece& piece, Choice& best) {
  const auto sample = piece.drift_sample();
  std::optional<Drift> drift = sample ? Drift::find(piece.unit, sample->old_values, sample->new_values) : std::nullopt;
  if (!drift) return;
  TokenCounter counter(piece.unit);
  Piece::Scratch scratch;
  Bytes shifted;
  for (std::size_t b = 0; b < piece.blocks(); ++b) {
    if (piece.scan(b).changed() == 0) continue;
    const ValuePair values = piece.covered_values(b, best.plan.positions[b], scratch);
    counter.add(drift->predict(values.old_values, shifted), values.new_values);
  }
  const TokenHistogram histogram = counter.take();
  ContextModel model(histogram);
  const std::uint64_t coded = best.plan.position_bytes + model.written_bytes() + drift->written_bytes() + (model.coded_bits(histogram) + 7) / 8;
  if (coded >= best.bytes) return;
  best.bytes = coded;
  best.model.emplace(std::move(model));
  best.drift = std::move(drift);
}

/// Units in the touched groups, over all blocks.
std::uint64_t touched_units(const Piece& piece) {
  std::uint64_t total = 0;
  for (std::size_t b = 0; b < piece.blocks(); ++b) total += piece.scan(b).grouped_units();
  return total;
}

Choice choose(const Piece& piece, Profile profile) {
  const std::uint64_t touched = touched_units(piece);
  if (profile == Profile::fast) {
    return {0, plan_fast(piece, kFastDenseShare * piece.changed() >= touched), std::nullopt, std::nullopt};
  }
  Choice choice;
  if (kDenseShare * piece.changed() < touched) {
    consider(plan_sparse(piece, nullptr), choice);
  } else {
    Plan dense = plan_dense(piece);
    if (piece.changed() < touched) consider(plan_sparse(piece, &dense), choice);
    consider(std::move(dense), choice);
  }
  consider_drift(piece, choice);
  return choice;
}

/// Long blocks where few units changed, to spread their headers; short ones where many did, to spread work.
unsigned choose_block_log2(const UnitType& unit, std::uint64_t units, std::uint64_t changed) {
  unsigned log2 = kDenseBlockLog2;
  while (log2 < kMaxBlockLog2 && (std::uint64_t{unit.bytes} << (log2 + 1)) <= kMaxBlockBytes && (changed << log2) / units < kChangesInBlock) ++log2;
  return log2;
}

void check_arguments(const UnitType& unit, std::uint64_t first, ByteSpan base) {
  const bool fits = !base.empty() && base.size() <= kPieceBytes && base.size() % unit.bytes == 0;
  if (!fits || first % (kPieceBytes / unit.bytes) != 0) {
    throw Error(ErrorCode::invalid_argument, "a piece must be 1 element to 16 MiB of base and task, on the grid of pieces");
  }
}

void check_changes(const UnitType& unit, std::uint64_t first, std::uint64_t units, const Changes& changes) {
  const std::span<const std::uint64_t> positions = changes.positions;
  const std::size_t count = positions.size();
  bool fits = changes.old_values.size() == count * unit.bytes && changes.new_values.size() == count * unit.bytes;
  fits = fits && (count == 0 || (positions.front() >= first && positions.back() - first < units));
  const std::uint64_t* const at = positions.data();
  for (std::size_t i = 1; i < count; ++i) fits &= at[i - 1] < at[i];
  if (!fits || count_changed(unit.dtype, changes.old_values, changes.new_values) != count) {
    throw Error(ErrorCode::invalid_argument, "changes must be of increasing elements of the piece, each to another value");
  }
}

/// `piece` starts at unit `first`.
EncodedPiece encode(Piece& piece, DType dtype, std::uint64_t first, Profile profile) {
  EncodedPiece encoded;
  encoded.changed = piece.changed();
  if (encoded.changed == 0) return encoded;

  const UnitType& unit = piece.unit;
  const unsigned block_log2 = choose_block_log2(unit, piece.units(), encoded.changed);
  piece.cut(block_log2);
  const Choice choice = choose(piece, profile);
  std::optional<ModelEncoder> model;
  if (choice.model) model.emplace(*choice.model, unit, choice.drift);

  Writer head;
  head.u32(0);
  head.u8(static_cast<std::uint8_t>(dtype));
  head.u8(static_cast<std::uint8_t>(block_log2));
  head.u8(static_cast<std::uint8_t>(choice.model ? choice.model->tables() : 0));
  head.u8(static_cast<std::uint8_t>(choice.drift ? choice.drift->log2() : 0));
  head.u64(first);
  head.u32(static_cast<std::uint32_t>(piece.units()));
  head.u32(static_cast<std::uint32_t>(encoded.changed));
  if (choice.model) choice.model->write(head);
  if (choice.drift) choice.drift->write(head);
  const std::size_t sizes_at = head.size();
  for (std::size_t b = 0; b < piece.blocks(); ++b) head.u32(0);

  Bytes& out = encoded.bytes;
  out = head.take();
  Piece::Scratch scratch;
  for (std::size_t b = 0; b < piece.blocks(); ++b) {
    const BlockScan& scan = piece.scan(b);
    if (scan.changed() == 0) continue;
    const std::size_t begin = out.size();
    const PositionCode& positions = choice.plan.positions[b];
    const ValuePair values = piece.covered_values(b, positions, scratch);
    encode_block(scan, positions, {unit, values.old_values, values.new_values, choice.plan.widths[b]}, model ? &*model : nullptr, profile, scratch, out);
    store_le(&out[sizes_at + 4 * b], static_cast<std::uint32_t>(out.size() - begin));
  }
  store_le(out.data(), static_cast<std::uint32_t>(out.size()));
  return encoded;
}

}  // namespace

std::uint64_t count_changed(DType dtype, ByteSpan base, ByteSpan task) {
  const UnitType& unit = unit_type(dtype);
  if (base.size() != task.size() || base.size() % unit.bytes != 0) {
    throw Error(ErrorCode::invalid_argument, "tensors to compare have different sizes");
  }
  constexpr std::size_t kStep = 1u << 16;
  std::vector<std::uint64_t> words(kStep / 64);
  std::uint64_t changed = 0;
  for (std::size_t at = 0; at < base.size(); at += kStep) {
    changed += kernels().compare(unit, &base[at], &task[at], std::min(kStep, base.size() - at) / unit.bytes, words.data());
  }
  return changed;
}

EncodedPiece encode_piece(DType dtype, std::uint64_t first, ByteSpan base, ByteSpan task, Profile profile) {
  const UnitType& unit = unit_type(dtype);
  check_arguments(unit, first, base);
  if (task.size() != base.size()) throw Error(ErrorCode::invalid_argument, "base and task of a piece have different sizes");
  Piece piece(unit, base, task);
  return encode(piece, dtype, first, profile);
}

EncodedPiece encode_piece(DType dtype, std::uint64_t first, ByteSpan base, const Changes& changes, Profile profile) {
  const UnitType& unit = unit_type(dtype);
  check_arguments(unit, first, base);
  check_changes(unit, first, base.size() / unit.bytes, changes);
  Piece piece(unit, first, base, changes);
  return encode(piece, dtype, first, profile);
}

}  // namespace dstore
