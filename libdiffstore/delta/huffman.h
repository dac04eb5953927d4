#pragma once

#include <array>
#include <cstdint>

#include "delta/layout.h"

namespace dstore {

using TokenCounts = std::array<std::uint64_t, segment_layout::kTokens>;

/// Code lengths of one canonical Huffman table over tokens: 0 for an absent token, else 1..kMaxCodeBits.
/// A table with a single token gives it no bits: its `first` is that token, `count` 1 and its length 0.
struct CodeLengths {
  std::uint8_t first = 0;  ///< lowest token of the table
  std::uint8_t count = 0;  ///< tokens first .. first + count - 1; 0: no table
  std::array<std::uint8_t, segment_layout::kTokens> lengths{};

  friend bool operator==(const CodeLengths&, const CodeLengths&) = default;
};

/// Optimal lengths limited to kMaxCodeBits (package-merge); ties by token, so the same on every machine.
CodeLengths code_lengths(const TokenCounts& counts);

/// Bits of the codes and raw extra bits of that many tokens. Every counted token is in the table.
std::uint64_t coded_bits(const CodeLengths& table, const TokenCounts& counts);

/// Whether the lengths are a complete prefix code (Kraft sum exactly 1) or a single token.
bool is_complete(const CodeLengths& table);

/// Codes bit-reversed for a writer of least significant bits first.
struct EncodeTable {
  std::array<std::uint16_t, segment_layout::kTokens> codes{};
  std::array<std::uint8_t, segment_layout::kTokens> lengths{};
};
EncodeTable encode_table(const CodeLengths& table);

}  // namespace dstore
