#include <xxhash.h>

#include "delta/layout.h"
#include "delta/segment.h"
#include "dstore/error.h"

namespace dstore {

using namespace segment_layout;

SegmentWriter::SegmentWriter() {
  out_.u32(kMagic);
  out_.u16(kVersion);
  out_.u16(kEncoder);
  out_.u32(0);
}

bool SegmentWriter::fits(const EncodedPiece& piece) const {
  return pieces_ == 0 || out_.size() + piece.bytes.size() + kTrailerBytes <= kSegmentTarget;
}

std::uint32_t SegmentWriter::add(const EncodedPiece& piece) {
  if (piece.bytes.empty() || !fits(piece)) throw Error(ErrorCode::invalid_argument, "the piece is empty or does not fit the segment");
  if (piece.bytes[kDriftOffset] != std::byte{0}) out_.patch_u32(kVersionOffset, kDriftVersion | std::uint32_t{kEncoder} << 16);
  out_.bytes(piece.bytes);
  return pieces_++;
}

Bytes SegmentWriter::finish() {
  if (pieces_ == 0) throw Error(ErrorCode::invalid_argument, "a segment needs at least one piece");
  out_.patch_u32(kPieceCountOffset, pieces_);
  out_.u64(XXH3_64bits(out_.data().data(), out_.size()));
  Bytes segment = out_.take();
  *this = SegmentWriter();
  return segment;
}

}  // namespace dstore
