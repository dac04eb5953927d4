#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "delta/context_model.h"
#include "delta/element.h"
#include "delta/huffman.h"

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

/// Fixed fields of a block (spec/segment.md, "Blocks").
struct BlockHeader {
  std::uint8_t coverage = 0;  ///< which units are coded: id of a row of kCoverages
  std::uint8_t coder = 0;     ///< how their values are coded: id of a row of kValueCoders
  std::uint8_t rice = 0;      ///< remainder bits; 0 unless the coverage uses it
  std::uint8_t width = 0;     ///< bits of a residual; 0 unless the coder uses it
  std::uint32_t changed = 0;
  std::uint64_t old_check = 0;  ///< xxh3-64 of the covered units' old bytes, in order
  std::uint64_t new_check = 0;

  void write(Writer& out) const;
};
/// Checks every field that can be checked without the streams; `units` is the block's size.
BlockHeader parse_block_header(Reader& reader, std::uint32_t units, bool has_model);

/// What differs in a block: the changed units, and the groups of kGroup units that hold one.
struct BlockScan {
  std::uint32_t units = 0;
  std::vector<std::uint32_t> changed;
  std::vector<std::uint32_t> groups;

  std::uint32_t group_count() const { return (units + segment_layout::kGroup - 1) / segment_layout::kGroup; }
  /// Units in the groups.
  std::uint64_t grouped_units() const;
};
void scan_block(const UnitType& unit, ByteSpan base, ByteSpan task, BlockScan& scan);

/// A context model ready for use in one direction: the table for each exponent of an old value.
class ModelEncoder {
 public:
  ModelEncoder(const ContextModel& model, const UnitType& unit);
  const EncodeTable& table(unsigned exponent) const { return tables_.data()[of_exponent_.data()[exponent]]; }

 private:
  std::vector<EncodeTable> tables_;
  std::vector<std::uint8_t> of_exponent_;
};
class ModelDecoder {
 public:
  ModelDecoder(const ContextModel& model, const UnitType& unit);
  const DecodeTable& table(unsigned exponent) const { return tables_.data()[of_exponent_.data()[exponent]]; }

 private:
  std::vector<DecodeTable> tables_;
  std::vector<std::uint8_t> of_exponent_;
};

/// Covered units of a block: all of them, or those at `positions` (increasing).
struct Covered {
  bool all = false;
  std::vector<std::uint32_t> positions;
  std::size_t count(std::uint32_t units) const { return all ? units : positions.size(); }
};

/// Buffers reused from block to block.
struct BlockScratch {
  Covered covered;
  Bytes old_values;  ///< of the covered units, contiguous
  Bytes new_values;
  std::size_t bytes = 0;  ///< of each that count
};

/// Appends one block. `sparse`: cover the changed units alone, else whole groups. `model` may be null.
void encode_block(const UnitType& unit, const BlockScan& scan, bool sparse, const ModelEncoder* model, ByteSpan base,
                  ByteSpan task, BlockScratch& scratch, Bytes& out);

/// Decodes a block against `base` into `scratch` and verifies both checksums; writes nothing else.
void decode_block(const UnitType& unit, const BlockHeader& header, ByteSpan payload, const ModelDecoder* model,
                  ByteSpan base, BlockScratch& scratch, const BlockPlace& place);

}  // namespace dstore
