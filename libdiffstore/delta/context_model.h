#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "delta/drift.h"
#include "delta/element.h"
#include "delta/huffman.h"
#include "delta/kernels.h"

namespace dstore {

/// How often each token occurs for each exponent of the old value: counts[exponent * kTokens + token].
using TokenHistogram = std::vector<std::uint32_t>;
TokenHistogram empty_histogram(const UnitType& unit);

/// The tables of a piece (spec/segment.md, "Context coder"): which Huffman table codes a residual follows from the old
/// value's exponent, because a task's changes have one scale and an ulp depends on the exponent.
class ContextModel {
 public:
  /// The model with the fewest bits that greedy merging of neighbouring exponents finds. At least one count.
  explicit ContextModel(const TokenHistogram& histogram);
  /// Parses `tables` tables; Error{corrupt} on anything the constructor above could not have written.
  ContextModel(Reader& reader, unsigned tables, const UnitType& unit);

  void write(Writer& out) const;
  std::uint64_t written_bytes() const;
  /// Bits that the histogram takes with this model.
  std::uint64_t coded_bits(const TokenHistogram& histogram) const;

  std::size_t tables() const { return tables_.size(); }
  const CodeLengths& table(std::size_t index) const { return tables_[index]; }
  /// Index of the table for an old value of that exponent.
  unsigned table_for(unsigned exponent) const { return table_of_class_[class_of(exponent)]; }

 private:
  unsigned class_of(unsigned exponent) const {
    const unsigned below = exponent >= top_ ? 0 : top_ - exponent;
    return below < segment_layout::kClasses ? below : segment_layout::kClasses - 1;
  }
  std::vector<TokenCounts> class_counts(const TokenHistogram& histogram) const;
  void set_starts(std::uint32_t starts);

  unsigned top_ = 0;
  std::uint32_t starts_ = 0;  ///< bit c: class c begins a new table
  std::array<std::uint8_t, segment_layout::kClasses> table_of_class_{};
  std::vector<CodeLengths> tables_;
};

/// A context model ready for use in one direction, with the drift of its piece.
class ModelEncoder {
 public:
  ModelEncoder(const ContextModel& model, const UnitType& unit, std::optional<Drift> drift = std::nullopt);
  /// Indexed by cell.
  const CellCode* codes() const { return codes_.data(); }
  const std::optional<Drift>& drift() const { return drift_; }

 private:
  std::vector<CellCode> codes_;
  std::optional<Drift> drift_;
};
class ModelDecoder {
 public:
  ModelDecoder(const ContextModel& model, const UnitType& unit, std::optional<Drift> drift = std::nullopt);
  const DecodeTables& tables() const { return tables_; }
  const std::optional<Drift>& drift() const { return drift_; }

 private:
  DecodeTables tables_;
  std::optional<Drift> drift_;
};

}  // namespace dstore
