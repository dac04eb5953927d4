#include "study/paired.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace dstore::cli {
namespace {

constexpr std::size_t kReplicates = 10'000;
constexpr std::size_t kTail = kReplicates / 40;  ///< 2.5 % on either side

/// The numbers of SplitMix64 with the seed 0, one after another.
class SplitMix {
 public:
  /// Below n, which is below 2^32.
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(((next() >> 32) * n) >> 32); }

 private:
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::uint64_t state_ = 0;
};

/// d[s][t]: 1 where only a is right, -1 where only b is.
std::vector<std::vector<std::int32_t>> differences(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::vector<std::int32_t>> out;
  for (std::size_t s = 0; s < a.size(); ++s) {
    std::vector<std::int32_t>& row = out.emplace_back();
    for (std::size_t t = 0; t < a[s].size(); ++t) row.push_back((a[s][t] == '1') - (b[s][t] == '1'));
  }
  return out;
}

}  // namespace

std::optional<MeanStd> mean_std(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  MeanStd out;
  out.n = values.size();
  const auto n = static_cast<double>(values.size());
  for (const double value : values) out.mean += value / n;
  for (const double value : values) out.std += (value - out.mean) * (value - out.mean);
  out.std = values.size() > 1 ? std::sqrt(out.std / (n - 1)) : 0;
  return out;
}

std::optional<PairedInterval> paired_interval(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  const std::size_t seeds = a.size(), texts = a.empty() ? 0 : a.front().size();
  const auto same_size = [&](const std::string& row) { return row.size() == texts; };
  if (seeds != b.size() || texts == 0 || !std::all_of(a.begin(), a.end(), same_size) || !std::all_of(b.begin(), b.end(), same_size)) return std::nullopt;
  const auto d = differences(a, b);
  const double pairs = static_cast<double>(seeds) * static_cast<double>(texts);
  PairedInterval out;
  out.seeds = seeds;
  out.texts = texts;
  for (const auto& row : d) {
    for (const std::int32_t value : row) out.difference += value / pairs;
  }
  SplitMix random;
  std::vector<std::int64_t> sums(kReplicates);
  std::vector<std::int32_t> drawn(texts);  ///< of each text: the sum over the seeds that were drawn
  for (std::int64_t& sum : sums) {
    std::fill(drawn.begin(), drawn.end(), 0);
    for (std::size_t i = 0; i < seeds; ++i) {
      const auto& row = d[random.below(seeds)];
      for (std::size_t t = 0; t < texts; ++t) drawn[t] += row[t];
    }
    for (std::size_t i = 0; i < texts; ++i) sum += drawn[random.below(texts)];
  }
  std::sort(sums.begin(), sums.end());
  out.low = static_cast<double>(sums[kTail]) / pairs;
  out.high = static_cast<double>(sums[kReplicates - 1 - kTail]) / pairs;
  return out;
}

}  // namespace dstore::cli
