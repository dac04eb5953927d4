#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string>

#include "delta/bits.h"
#include "delta/encodings.h"
#include "delta/residual.h"
#include "delta/segment.h"
#include "dstore/error.h"

namespace dstore {

using namespace segment_layout;

namespace {

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

/// What one way to cover the changes costs, in bytes, and the residuals it would code.
struct Plan {
  bool sparse = false;
  std::uint64_t positions = 0;    ///< block headers and positions
  std::uint64_t plain_values = 0; ///< raw or packed, whichever is smaller in each block
  TokenHistogram histogram;
};

std::uint64_t plain_value_bytes(const UnitType& unit, std::uint64_t count, unsigned width) {
  return std::min(count * unit.bytes, (count * width + 7) / 8);
}

/// Counts the tokens of all units in the block's groups; returns the bit length of the largest residual.
unsigned count_tokens(const UnitType& unit, const BlockScan& scan, ByteSpan base, ByteSpan task, TokenHistogram& histogram) {
  return with_unit(unit.bytes, [&]<class U>(U) {
    const ResidualMap<U> map(unit);
    U all = 0;
    for (std::uint32_t group : scan.groups) {
      const std::uint32_t end = std::min(scan.units, (group + 1) * kGroup);
      for (std::size_t i = std::size_t{group} * kGroup; i < end; ++i) {
        const U old_value = load_le<U>(&base[i * sizeof(U)]);
        const U residual = map.residual(old_value, load_le<U>(&task[i * sizeof(U)]));
        all = static_cast<U>(all | residual);
        ++histogram[map.exponent(old_value) * kTokens + token_of(residual)];
      }
    }
    return static_cast<unsigned>(std::bit_width(all));
  });
}

struct Plans {
  Plan sparse;
  Plan dense;
};

Plans make_plans(const Piece& piece) {
  Plans plans;
  plans.sparse.sparse = true;
  plans.dense.histogram = empty_histogram(piece.unit);
  BlockScan scan;
  for (std::size_t b = 0; b < piece.blocks(); ++b) {
    const ByteSpan base = piece.block(piece.base, b);
    const ByteSpan task = piece.block(piece.task, b);
    scan_block(piece.unit, base, task, scan);
    if (scan.changed.empty()) continue;
    const unsigned width = count_tokens(piece.unit, scan, base, task, plans.dense.histogram);
    const bool all = scan.groups.size() == scan.group_count();
    plans.sparse.positions += kBlockHeaderBytes + best_rice(scan.changed).bytes;
    plans.dense.positions += kBlockHeaderBytes + (all ? 0 : (scan.group_count() + 7) / 8);
    plans.sparse.plain_values += plain_value_bytes(piece.unit, scan.changed.size(), width);
    plans.dense.plain_values += plain_value_bytes(piece.unit, scan.grouped_units(), width);
  }
  plans.sparse.histogram = plans.dense.histogram;
  for (std::size_t i = 0; i < plans.sparse.histogram.size(); i += kTokens) plans.sparse.histogram[i] = 0;  // token 0: unchanged
  return plans;
}

struct Choice {
  bool sparse = true;
  std::uint64_t bytes = UINT64_MAX;
  std::optional<ContextModel> model;
};

void consider(const Plan& plan, Choice& best) {
  if (const std::uint64_t plain = plan.positions + plan.plain_values; plain < best.bytes) best = {plan.sparse, plain, std::nullopt};
  ContextModel model(plan.histogram);
  const std::uint64_t coded = plan.positions + model.written_bytes() + (model.coded_bits(plan.histogram) + 7) / 8;
  if (coded < best.bytes) best = {plan.sparse, coded, std::move(model)};
}

/// Sparse changes are worth long blocks, to spread their headers; dense ones short blocks, to spread work.
unsigned choose_block_log2(const UnitType& unit, std::uint64_t units, std::uint64_t changed) {
  unsigned log2 = changed < units / 64 ? kMaxBlockLog2 : kDenseBlockLog2;
  while ((std::uint64_t{unit.bytes} << log2) > kMaxBlockBytes) --log2;
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

EncodedPiece encode_piece(DType dtype, std::uint64_t first, ByteSpan base, ByteSpan task) {
  const UnitType& unit = unit_type(dtype);
  check_arguments(unit, first, base, task);
  EncodedPiece encoded;
  encoded.changed = count_changed(dtype, base, task);
  if (encoded.changed == 0) return encoded;

  const std::uint64_t units = base.size() / unit.bytes;
  const unsigned block_log2 = choose_block_log2(unit, units, encoded.changed);
  const Piece piece{unit, base, task, std::size_t{unit.bytes} << block_log2};
  Choice choice;
  {
    const Plans plans = make_plans(piece);
    consider(plans.sparse, choice);
    consider(plans.dense, choice);
  }
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
    encode_block(unit, scan, choice.sparse, model ? &*model : nullptr, block_base, block_task, scratch, out);
    store_le(&out[sizes_at + 4 * b], static_cast<std::uint32_t>(out.size() - begin));
  }
  store_le(out.data(), static_cast<std::uint32_t>(out.size()));
  return encoded;
}

}  // namespace dstore
