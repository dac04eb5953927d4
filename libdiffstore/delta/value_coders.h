#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "delta/block.h"

namespace dstore {

/// The covered units' old and new bytes, contiguous and equally long; not empty.
struct BlockValues {
  const UnitType& unit;
  ByteSpan old_values;
  ByteSpan new_values;
  unsigned width;  ///< bit length of the largest residual

  std::size_t count() const { return old_values.size() / unit.bytes; }
};

/// How the covered units' new values are coded (spec/segment.md, "Values"). Ids are stored in segments and never reused.
struct ValueCoder {
  std::uint8_t id;
  std::string_view name;
  bool uses_model;
  /// Whether an encoder tries it.
  bool (*writes)(const UnitType& unit, Profile profile);
  /// Whether a reader takes that parameter.
  bool (*accepts)(const UnitType& unit, std::uint8_t parameter);
  /// What encode() takes, where that is known without encoding; else null.
  std::uint64_t (*size)(const BlockValues& values);
  /// Replaces `out` by the coded values if they take fewer than `limit` bytes and give the new values back; else false.
  bool (*encode)(const BlockValues& values, const ModelEncoder* model, std::uint64_t limit, std::uint8_t& parameter, Bytes& out);
  /// Fills `new_values` from exactly `payload`; the old values are already verified. Returns how many differ, if it knows.
  std::optional<std::uint64_t> (*decode)(ByteSpan payload, std::uint8_t parameter, const UnitType& unit, const ModelDecoder* model,
                                         ByteSpan old_values, MutableByteSpan new_values, const BlockPlace& place);
};

std::span<const ValueCoder* const> value_coders();
const ValueCoder* find_value_coder(std::uint8_t id);

/// Whether a coder that depends on the values themselves, not on their width, can take these.
bool has_special_coder(const BlockValues& values);

/// What the values take without a context model: the least of the coders that need none, at most the raw size.
std::uint64_t plain_bytes(const BlockValues& values);

// One row each.
extern const ValueCoder kRawCoder;
extern const ValueCoder kPackedCoder;
extern const ValueCoder kContextCoder;
extern const ValueCoder kPlanesCoder;
extern const ValueCoder kConstantCoder;
extern const ValueCoder kAddendCoder;

}  // namespace dstore
