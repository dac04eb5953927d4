#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "delta/context_model.h"
#include "delta/element.h"
#include "delta/positions.h"

namespace dstore {

/// Where in which object a block is, for messages.
struct BlockPlace {
  std::string_view what;
  std::string_view tensor;   ///< may be empty
  std::uint64_t first = 0;   ///< units from the tensor's start
  std::uint64_t count = 0;

  /// Error{corrupt}: "WHAT: tensor TENSOR: elements FIRST to LAST: MESSAGE".
  [[noreturn]] void fail(std::string_view message) const;
};

/// Fixed fields of a block (spec/segment.md, "Block").
struct BlockHeader {
  PositionCode positions;
  std::uint8_t coder = 0;      ///< how the values are coded: id of a row of value_coders()
  std::uint8_t parameter = 0;  ///< of the coder
  std::uint32_t changed = 0;
  std::uint64_t old_check = 0;  ///< xxh3-64 of the covered units' old bytes, in order
  std::uint64_t new_check = 0;

  void write(Writer& out) const;
};
/// Checks every field that can be checked without the streams; `units` is the block's size.
BlockHeader parse_block_header(Reader& reader, const UnitType& unit, std::uint32_t units, bool has_model);

/// Buffers reused from block to block.
struct BlockScratch {
  Covered covered;
  Bytes old_values;   ///< of the covered units, contiguous; unused where all are covered
  Bytes new_values;
  Bytes coded;        ///< one try of a coder
};

/// The covered units of `block`, in order: `block` itself where all are covered, else a copy in `out`.
ByteSpan gather(const UnitType& unit, const Covered& covered, ByteSpan block, Bytes& out);
/// The reverse: puts `values` back to where gather() took them from.
void scatter(const UnitType& unit, const Covered& covered, ByteSpan values, MutableByteSpan block);

struct BlockValues;

/// Appends one block with the values of the units that `positions` covers. `model` may be null.
void encode_block(const BlockScan& scan, const PositionCode& positions, const BlockValues& values, const ModelEncoder* model, Profile profile,
                  BlockScratch& scratch, Bytes& out);

/// The values of a decoded block, as views of `base` and the scratch.
struct DecodedBlock {
  ByteSpan old_values;
  ByteSpan new_values;
};
/// Decodes a block against `base` and verifies both checksums; writes nothing but the scratch.
DecodedBlock decode_block(const UnitType& unit, const BlockHeader& header, ByteSpan payload, const ModelDecoder* model,
                          ByteSpan base, BlockScratch& scratch, const BlockPlace& place);

}  // namespace dstore
