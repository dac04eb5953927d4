#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// Constants of the pack file (spec/pack.md) and of ref entries (spec/refs.md). A change here changes the spec.
namespace dstore::layout {

// spec/pack.md, "File header"
inline constexpr std::string_view kPackMagic = "DSTOREPK";
inline constexpr std::uint32_t kPackVersion = 2;  // the highest that is known
inline constexpr std::size_t kPackHeaderSize = 16;

// spec/pack.md, "Record"
inline constexpr std::uint32_t kRecordMagic = 0x43455244;  // "DREC"
inline constexpr std::size_t kRecordHeaderSize = 64;

// spec/pack.md, "Trailer"
inline constexpr std::uint32_t kTrailerMagic = 0x4c525444;  // "DTRL"
inline constexpr std::size_t kTrailerHeaderSize = 16;
inline constexpr std::size_t kTrailerEntrySize = 72;
inline constexpr std::size_t kTrailerTailSize = 40;  // offset of the trailer, SHA-256

// spec/pack.md, "Limits"
inline constexpr std::uint64_t kMaxRawSize = std::uint64_t(1) << 30;
inline constexpr std::uint64_t kMaxLz4Ratio = 255;
inline constexpr std::uint64_t kMaxPackEntries = std::uint64_t(1) << 20;
inline constexpr std::uint64_t kMaxPackSize = std::uint64_t(1) << 31;
inline constexpr std::uint64_t kPackTarget = std::uint64_t(64) << 20;

// spec/links.md
inline constexpr std::string_view kLinkMagic = "DSTORELK";
inline constexpr std::uint32_t kLinkVersion = 1;
inline constexpr std::size_t kLinkRowSize = 48;
inline constexpr std::uint64_t kMaxLinkedChunk = std::uint64_t(4) << 20;
inline constexpr std::uint64_t kMaxLinkFile = std::uint64_t(1) << 30;
inline constexpr std::uint64_t kMaxLinkPath = 4096;

// spec/refs.md
inline constexpr std::size_t kMaxEncodedRefName = 255;
inline constexpr std::size_t kSequenceDigits = 10;
inline constexpr std::uint64_t kMaxSequence = 9'999'999'999;
inline constexpr std::uint64_t kMaxRefEntryFile = 64 << 10;
inline constexpr std::string_view kSignatureBegin = "-----BEGIN SSH SIGNATURE-----\n";
inline constexpr std::string_view kSignatureEnd = "-----END SSH SIGNATURE-----\n";

}  // namespace dstore::layout
