#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// How much one entry of a change matters, by a row of a table. All in double, from the values as they are stored.
struct Score {
  std::string_view name;
  std::string_view formula;  ///< d: new - old
  bool needs_importance;     ///< a finite number >= 0 for every entry
  void (*values)(std::span<const double> old, std::span<const double> difference, std::span<const double> importance, std::span<double> out);
};

std::span<const Score> scores();
/// Error{invalid_argument} that lists the scores.
const Score& find_score(std::string_view name);

/// The rank of an entry orders a change: 0 where its bits did not change; else the higher the score the higher the rank. An entry
/// whose difference is NaN or infinite (a side is, or an f64 overflows) has this rank, above all others: what no score can
/// judge is the last to be dropped.
inline constexpr std::uint64_t kUnscoredRank = 0x7ff0'0000'0000'0002;
/// The score of a changed entry from its rank; NaN for kUnscoredRank.
double score_of_rank(std::uint64_t rank);

/// Ranks of all units (delta/element.h) of `before` and `after`, and their differences. All spans but an `importance` that
/// is not needed have one length in units. Error{unsupported} unless is_numeric(dtype).
void rank_entries(const Score& score, DType dtype, ByteSpan before, ByteSpan after, std::span<const double> importance,
                  std::span<std::uint64_t> ranks, std::span<double> differences);

}  // namespace dstore
