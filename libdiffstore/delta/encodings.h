#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "delta/block.h"

namespace dstore {

/// Which units of a block are coded. Ids are stored in segments and never reused.
struct Coverage {
  std::uint8_t id;
  std::string_view name;
  bool uses_rice;
  /// Appends the positions of `scan`; sets header.rice where used.
  void (*encode)(const BlockScan& scan, BlockHeader& header, Bytes& out);
  /// Fills `covered` from the start of `payload` and returns the bytes used.
  std::size_t (*decode)(ByteSpan payload, const BlockHeader& header, std::uint32_t units, Covered& covered,
                        const BlockPlace& place);
};

inline constexpr std::uint8_t kCoverAll = 1;
inline constexpr std::uint8_t kCoverRice = 2;
inline constexpr std::uint8_t kCoverGroups = 3;
std::span<const Coverage> coverages();
const Coverage* find_coverage(std::uint8_t id);

/// Split-Rice parameter with the fewest bits for these positions, and its size. Not empty.
struct RiceChoice {
  std::uint8_t bits;
  std::uint64_t bytes;
};
RiceChoice best_rice(std::span<const std::uint32_t> positions);

/// The covered units' old and new bytes, contiguous and equally long; not empty.
struct ValuePair {
  const UnitType& unit;
  ByteSpan old_values;
  ByteSpan new_values;
};

/// How the covered units' new values are coded. Ids are stored in segments and never reused.
struct ValueCoder {
  std::uint8_t id;
  std::string_view name;
  bool uses_width;
  bool uses_model;
  /// Exact size of the coded values; sets header.width where used. `model` is null only if !uses_model.
  std::uint64_t (*measure)(const ValuePair& values, const ModelEncoder* model, BlockHeader& header);
  /// Appends the coded values; `header` as measure() left it.
  void (*encode)(const ValuePair& values, const ModelEncoder* model, const BlockHeader& header, Bytes& out);
  /// Fills `new_values` from exactly `payload`; the old values are already verified.
  void (*decode)(ByteSpan payload, const BlockHeader& header, const UnitType& unit, const ModelDecoder* model,
                 ByteSpan old_values, MutableByteSpan new_values, const BlockPlace& place);
};

inline constexpr std::uint8_t kCodeRaw = 1;
inline constexpr std::uint8_t kCodePacked = 2;
inline constexpr std::uint8_t kCodeContext = 3;
std::span<const ValueCoder> value_coders();
const ValueCoder* find_value_coder(std::uint8_t id);

}  // namespace dstore
