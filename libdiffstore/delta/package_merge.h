#pragma once

#include <cstdint>
#include <span>

namespace dstore {

/// Code lengths of an optimal prefix code of at most `max_bits` bits a symbol (package-merge): lengths[s] is 0 where counts[s] is,
/// else 1..max_bits; a single symbol gets 0. Ties by symbol, so the same on every machine. At most 2^max_bits symbols; both spans
/// are of one size.
void package_merge(std::span<const std::uint64_t> counts, unsigned max_bits, std::span<std::uint8_t> lengths);

/// Whether the lengths fill the code space exactly (Kraft sum 1), so that every bit sequence decodes.
bool is_complete_code(std::span<const std::uint8_t> lengths, unsigned max_bits);

/// The canonical codes of a complete code, ordered by length, then symbol; bit-reversed for a writer of least significant bits first.
void canonical_codes(std::span<const std::uint8_t> lengths, unsigned max_bits, std::span<std::uint16_t> codes);

}  // namespace dstore
