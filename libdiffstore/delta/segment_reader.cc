#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "delta/bits.h"
#include "delta/block.h"
#include "delta/layout.h"
#include "delta/residual.h"
#include "delta/segment.h"
#include "dstore/error.h"

namespace dstore {

using namespace segment_layout;

namespace {

Error unsupported(std::string_view what, const std::string& thing) {
  return Error(ErrorCode::unsupported, std::string(what) + ": " + thing + " is not known to this build; use a newer dstore");
}

/// The segment without its checksum.
ByteSpan checked_body(ByteSpan segment, std::string_view what, unsigned& version) {
  if (segment.size() > kMaxSegmentBytes) throw Error(ErrorCode::corrupt, std::string(what) + ": larger than a segment can be");
  if (segment.size() < kHeaderBytes + kTrailerBytes) throw Error(ErrorCode::corrupt, std::string(what) + ": too short for a segment");
  Reader head(segment, what);
  if (head.u32() != kMagic) throw Error(ErrorCode::corrupt, std::string(what) + ": not a segment");
  version = head.u16();
  if (version != kVersion && version != kDriftVersion) {
    throw unsupported(what, "segment version " + std::to_string(version));
  }
  const ByteSpan body = segment.first(segment.size() - kTrailerBytes);
  if (XXH3_64bits(body.data(), body.size()) != load_le<std::uint64_t>(segment.data() + body.size())) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": the segment's checksum does not match");
  }
  return body;
}

PieceInfo parse_info(Reader& reader, unsigned version, std::uint32_t bytes, std::string_view what) {
  PieceInfo info;
  info.bytes = bytes;
  info.dtype = static_cast<DType>(reader.u8());
  const UnitType* type = find_unit_type(info.dtype);
  if (type == nullptr) throw unsupported(what, "dtype code " + std::to_string(static_cast<unsigned>(info.dtype)));
  const unsigned unit = type->bytes;
  const unsigned block_log2 = reader.u8();
  if (block_log2 < kMinBlockLog2 || block_log2 > kMaxBlockLog2 || (std::uint64_t{unit} << block_log2) > kMaxBlockBytes) {
    reader.fail("block size out of range");
  }
  info.block = std::uint64_t{1} << block_log2;
  const unsigned tables = reader.u8();
  if (tables > kMaxTables) reader.fail("too many code tables");
  const unsigned drift = reader.u8();
  if (drift != 0 && version == kVersion) reader.fail("a reserved byte is not zero");
  if (drift != 0 && tables == 0) reader.fail("a drift without code tables");
  info.first = reader.u64();
  info.count = reader.u32();
  info.changed = reader.u32();
  const std::uint64_t full = kPieceBytes / unit;
  if (info.count == 0 || info.count > full || info.changed == 0 || info.changed > info.count) reader.fail("element count out of range");
  if (info.first % full != 0 || info.first > UINT64_MAX / 8 - full) reader.fail("the piece does not start on the grid of pieces");
  return info;
}

std::uint32_t block_units(const PieceInfo& info, std::uint64_t block) {
  return static_cast<std::uint32_t>(std::min(info.block, info.count - block * info.block));
}

/// Reads the block sizes and every block's header; the sizes must end where the piece ends.
void check_blocks(Reader& reader, const PieceInfo& info, bool has_model) {
  const std::uint64_t blocks = (info.count + info.block - 1) / info.block;
  Reader sizes(reader.bytes(4 * blocks), "");
  std::uint64_t changed = 0;
  for (std::uint64_t b = 0; b < blocks; ++b) {
    const std::uint32_t size = sizes.u32();
    if (size == 0) continue;
    if (size < kBlockHeaderBytes) reader.fail("block size out of range");
    changed += parse_block_header(reader, unit_type(info.dtype), block_units(info, b), has_model).changed;
    reader.bytes(size - kBlockHeaderBytes);
  }
  if (changed != info.changed) reader.fail("blocks do not add up to the piece's changes");
}

}  // namespace

SegmentReader::SegmentReader(ByteSpan segment, std::string_view what) : what_(what) {
  unsigned version = 0;
  const ByteSpan body = checked_body(segment, what, version);
  Reader reader(body, what);
  reader.bytes(kPieceCountOffset);
  const std::uint32_t count = reader.u32();
  if (count == 0 || count > reader.remaining() / kPieceHeaderBytes) reader.fail("count of pieces out of range");
  info_.reserve(count);
  pieces_.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t begin = reader.offset();
    const std::uint32_t size = reader.u32();
    if (size < kPieceHeaderBytes || size - 4 > reader.remaining()) reader.fail("piece size out of range");
    Piece piece;
    piece.bytes = body.subspan(begin, size);
    Reader inside(piece.bytes, what_ + ": piece " + std::to_string(i));
    inside.u32();
    info_.push_back(parse_info(inside, version, size, what));
    piece.table_count = std::to_integer<unsigned>(piece.bytes[kTableCountOffset]);
    piece.tables = inside.offset();
    piece.drift_log2 = std::to_integer<unsigned>(piece.bytes[kDriftOffset]);
    if (piece.table_count != 0) ContextModel(inside, piece.table_count, unit_type(info_.back().dtype));
    if (piece.drift_log2 != 0) Drift(inside, piece.drift_log2, unit_type(info_.back().dtype));
    piece.blocks = inside.offset();
    check_blocks(inside, info_.back(), piece.table_count != 0);
    inside.expect_end();
    pieces_.push_back(piece);
    reader.bytes(size - 4);
  }
  reader.expect_end();
  const bool drifts = std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) { return piece.drift_log2 != 0; });
  if (version == kDriftVersion && !drifts) throw Error(ErrorCode::corrupt, what_ + ": version 3, and no piece has a drift");
}

}  // namespace dstore
