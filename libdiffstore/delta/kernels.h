#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "delta/element.h"
#include "delta/layout.h"

namespace dstore {

/// The residual of a token is bias + the next `extra` bits (spec/segment.md, "Residuals").
struct TokenForm {
  std::uint64_t bias;
  std::uint64_t mask;  ///< of the extra bits
  unsigned extra;
};
const std::array<TokenForm, segment_layout::kTokens>& token_forms();

/// Code of a cell (exponent * kTokens + token): code | length << 16 | extra bits << 24.
using CellCode = std::uint32_t;

/// Decoding tables of a context model. Entries are indexed by the next kMaxCodeBits bits.
/// Units of one or two bytes use `direct`: length | residual << 16 where code and extra bits fit the index, else
/// code length | kLongCode | token << 16. Wider units use `tokens`: bits in all | code length << 8 | extra bits << 16 |
/// what stands above the extra bits << 24.
struct DecodeTables {
  static constexpr std::uint32_t kLongCode = 0x8000;
  std::vector<std::uint32_t> direct;
  std::vector<std::uint32_t> tokens;
  std::vector<std::uint32_t> offset_of_exponent;  ///< of the exponent's table in `direct` or `tokens`
};

/// One bit stream of a block and the covered units that it codes.
struct StreamPart {
  ByteSpan bytes;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// The two streams of split Rice positions. `remainders` must hold ceil(count * rice / 8) bytes.
struct RiceStreams {
  ByteSpan remainders;
  unsigned rice = 0;
  ByteSpan quotients;  ///< and whatever follows them
  std::uint32_t count = 0;
  std::uint32_t limit = 0;  ///< positions are below it
};

/// Inner loops over contiguous units, old and new side by side. Every row gives the same results; only speed differs.
struct Kernels {
  std::string_view name;
  bool (*runs_here)();

  /// Bit i of `words` (ceil(count / 64)) tells whether unit i differs; returns how many do.
  std::uint64_t (*compare)(const UnitType& unit, const std::byte* a, const std::byte* b, std::size_t count, std::uint64_t* words);
  /// The residual of each pair.
  void (*residuals)(const UnitType& unit, const std::byte* old_values, const std::byte* new_values, std::size_t count, std::byte* residuals);
  /// The cell and the residual of each pair; returns the OR of all residuals.
  std::uint64_t (*cells)(const UnitType& unit, const std::byte* old_values, const std::byte* new_values, std::size_t count,
                         std::uint32_t* cells, std::byte* residuals);
  /// Appends code and extra bits of each pair from `out` on, which has room for kMaxCodeBits plus the unit's width for each
  /// and 16 bytes more; returns the end of the last, zero-padded byte.
  std::byte* (*encode)(const UnitType& unit, const CellCode* codes, const std::byte* old_values, const std::byte* new_values,
                       std::size_t count, std::byte* out);
  /// Residuals of all parts into `residuals`. False unless each part ends exactly with its bytes.
  bool (*decode)(const UnitType& unit, const DecodeTables& tables, std::span<const StreamPart> parts, const std::byte* old_values,
                 std::byte* residuals);
  /// Replaces residuals by new values; returns how many were not zero.
  std::uint64_t (*apply)(const UnitType& unit, const std::byte* old_values, std::byte* residuals, std::size_t count);
  /// The bytes of units of `width` bytes one plane after another, and back from planes that lie anywhere.
  void (*split)(unsigned width, const std::byte* units, std::size_t count, std::byte* planes);
  void (*merge)(unsigned width, const std::byte* const* planes, std::size_t count, std::byte* units);
  /// xxh3-64.
  std::uint64_t (*checksum)(ByteSpan bytes);
  /// Positions into `out` (count + 16 places). Returns the bytes of `quotients` used, 0 if the streams are malformed.
  std::size_t (*rice)(const RiceStreams& streams, std::uint32_t* out);
  /// How many bits of `count` words are set, and which, into `out` (8 places more than there are): it returns how many.
  std::uint64_t (*count_ones)(const std::uint64_t* words, std::size_t count);
  std::size_t (*list_ones)(const std::uint64_t* words, std::size_t count, std::uint32_t* out);
};

/// All rows of this build, the plainest first.
std::span<const Kernels* const> all_kernels();
/// The fastest row that runs on this processor.
const Kernels& kernels();

extern const Kernels kPlainKernels;
extern const Kernels kAvx2Kernels;

}  // namespace dstore
