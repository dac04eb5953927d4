#include "delta/score.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "delta/element.h"
#include "delta/stats.h"
#include "dstore/error.h"

namespace dstore {
namespace {

using Values = std::span<const double>;

void magnitude(Values, Values difference, Values, std::span<double> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = std::abs(difference[i]);
}

/// The smallest normal f32: a weight that was zero comes before all others, by its new value.
constexpr double kTiny = 0x1p-126;

void relative(Values old, Values difference, Values, std::span<double> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = std::abs(difference[i]) / (std::abs(old[i]) + kTiny);
}

/// In this order, so that 0 times anything finite is 0.
void fisher(Values, Values difference, Values importance, std::span<double> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = importance[i] * std::abs(difference[i]) * std::abs(difference[i]);
}

constexpr Score kScores[] = {
    {"magnitude", "|d|", false, magnitude},
    {"relative", "|d| / (|old| + 2^-126)", false, relative},
    {"fisher", "F * |d| * |d|", true, fisher},
};

template <class Word>
bool differs(const std::byte* a, const std::byte* b, std::size_t i) {
  return std::memcmp(a + i * sizeof(Word), b + i * sizeof(Word), sizeof(Word)) != 0;
}

template <class Word>
void rank_words(ByteSpan before, ByteSpan after, Values differences, Values scores_, std::span<std::uint64_t> ranks) {
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const std::uint64_t scored = std::isfinite(differences[i]) ? std::bit_cast<std::uint64_t>(scores_[i]) + 1 : kUnscoredRank;
    ranks[i] = differs<Word>(before.data(), after.data(), i) ? scored : 0;
  }
}

void rank_block(unsigned unit, ByteSpan before, ByteSpan after, Values differences, Values scores_, std::span<std::uint64_t> ranks) {
  if (unit == 2) return rank_words<std::uint16_t>(before, after, differences, scores_, ranks);
  if (unit == 4) return rank_words<std::uint32_t>(before, after, differences, scores_, ranks);
  rank_words<std::uint64_t>(before, after, differences, scores_, ranks);
}

}  // namespace

std::span<const Score> scores() { return kScores; }

const Score& find_score(std::string_view name) {
  std::string names;
  for (const Score& score : kScores) {
    if (score.name == name) return score;
    names += (names.empty() ? "" : ", ") + std::string(score.name);
  }
  throw Error(ErrorCode::invalid_argument, "no score is called \"" + printable(name) + "\" (" + names + ")");
}

double score_of_rank(std::uint64_t rank) {
  return rank == kUnscoredRank ? std::numeric_limits<double>::quiet_NaN() : std::bit_cast<double>(rank - 1);
}

void rank_entries(const Score& score, DType dtype, ByteSpan before, ByteSpan after, std::span<const double> importance,
                  std::span<std::uint64_t> ranks, std::span<double> differences) {
  constexpr std::size_t kBlock = 2048;
  std::array<double, kBlock> old_values, new_values, values;
  const unsigned unit = unit_type(dtype).bytes;
  for (std::size_t first = 0; first < ranks.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, ranks.size() - first);
    const ByteSpan old_bytes = before.subspan(first * unit, count * unit), new_bytes = after.subspan(first * unit, count * unit);
    read_doubles(dtype, old_bytes, {old_values.data(), count});
    read_doubles(dtype, new_bytes, {new_values.data(), count});
    const std::span<double> difference = differences.subspan(first, count);
    for (std::size_t i = 0; i < count; ++i) difference[i] = new_values[i] - old_values[i];
    score.values({old_values.data(), count}, difference, score.needs_importance ? importance.subspan(first, count) : importance, {values.data(), count});
    rank_block(unit, old_bytes, new_bytes, difference, {values.data(), count}, ranks.subspan(first, count));
  }
}

}  // namespace dstore
