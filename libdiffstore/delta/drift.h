#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "delta/element.h"

namespace dstore {

/// Where all weights of a piece moved alike (spec/segment.md, "Drift"): a shift for each value of a weight's leading mantissa bits.
/// Weight decay does that: each step takes away a whole number of ulps, which follows from the mantissa alone where the exponent
/// does not matter. Residuals are then taken against the shifted base.
class Drift {
 public:
  /// The drift that a piece shows in a sample of its units, if residuals against it are worth the table.
  static std::optional<Drift> find(const UnitType& unit, ByteSpan old_sample, ByteSpan new_sample);
  /// Whether units of that type can have one.
  static bool fits(const UnitType& unit);
  /// Every so manieth unit of a piece of `units` is the sample.
  static std::uint64_t sample_stride(std::uint64_t units);
  /// Bits of a residual, and whether find() can find anything in `count` units whose residuals have `cost` bits together.
  static std::uint64_t bit_cost(std::uint64_t residual);
  static bool can_pay(std::uint64_t cost, std::uint64_t count);
  /// Parses 2^log2 shifts; Error{corrupt} where the unit's type has none so large.
  Drift(Reader& reader, unsigned log2, const UnitType& unit);

  unsigned log2() const { return log2_; }
  std::uint64_t written_bytes() const { return shifts_.size() * unit_.bytes; }
  void write(Writer& out) const;

  /// The old values, shifted. The result is a view of `out`, which grows where it is too small.
  ByteSpan predict(ByteSpan old_values, Bytes& out) const;

 private:
  Drift(const UnitType& unit, unsigned log2, std::vector<std::uint64_t> shifts) : unit_(unit), log2_(log2), shifts_(std::move(shifts)) {}

  UnitType unit_;
  unsigned log2_;
  std::vector<std::uint64_t> shifts_;  ///< mod 2^W
};

}  // namespace dstore
