#pragma once

#include <cstddef>
#include <cstdint>

namespace dstore::segment_layout {

// Every constant of spec/segment.md.

// Segment header and trailer.
inline constexpr std::uint32_t kMagic = 0x47455344;  ///< "DSEG"
inline constexpr std::uint16_t kVersion = 2;       ///< of segments without a drift
inline constexpr std::uint16_t kDriftVersion = 3;  ///< of segments with one: the highest that is known
inline constexpr std::uint16_t kEncoder = 2;  ///< of this build: raised when equal input gives other bytes
inline constexpr std::size_t kVersionOffset = 4;
inline constexpr std::size_t kPieceCountOffset = 8;
inline constexpr std::size_t kHeaderBytes = 12;
inline constexpr std::size_t kTrailerBytes = 8;

// Pieces.
inline constexpr std::size_t kPieceHeaderBytes = 24;
inline constexpr std::size_t kTableCountOffset = 6;
inline constexpr std::size_t kDriftOffset = 7;
inline constexpr unsigned kMinBlockLog2 = 16;
inline constexpr unsigned kMaxBlockLog2 = 24;
inline constexpr unsigned kDenseBlockLog2 = 18;
inline constexpr std::uint64_t kMaxBlockBytes = 16u << 20;
inline constexpr std::uint64_t kChangesInBlock = 4096;  ///< that writers aim at, to spread a block's header

// Blocks.
inline constexpr std::size_t kBlockHeaderBytes = 24;
inline constexpr unsigned kMinGroupLog2 = 4;
inline constexpr unsigned kMaxGroupLog2 = 12;
inline constexpr unsigned kDenseGroupLog2 = 7;
inline constexpr std::uint8_t kCodedGroups = 0x80;  ///< in the field of groups: their bitmap is byte-coded
inline constexpr unsigned kMaxRice = 20;
inline constexpr unsigned kWindowLog2 = 16;  ///< units that a 16-bit position counts in

// The context coder.
inline constexpr unsigned kClasses = 32;    ///< exponents told apart below the top one
inline constexpr unsigned kMaxTables = 12;
inline constexpr unsigned kMaxCodeBits = 10;
inline constexpr unsigned kTokens = 76;     ///< 0..15: the residual itself; 11 + L: a residual of bit length L = 5..64
inline constexpr unsigned kDirectTokens = 16;
inline constexpr unsigned kTokenBias = 11;
inline constexpr unsigned kMaxDriftLog2 = 8;
inline constexpr unsigned kDriftLog2 = 6;                ///< mantissa bits that this encoder looks at
inline constexpr std::size_t kDriftSample = 1u << 15;    ///< units by which it finds a drift
inline constexpr std::uint64_t kDriftGain = 50;          ///< it takes one that saves more than one bit in so many
inline constexpr std::uint32_t kFourStreams = 4096;  ///< from this many residuals on: four streams instead of one

}  // namespace dstore::segment_layout
