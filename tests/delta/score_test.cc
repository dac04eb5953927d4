#include "delta/score.h"

#include <cmath>
#include <limits>

#include "catch.h"
#include "delta/stats.h"
#include "dstore/error.h"
#include "tensor_pairs.h"

using namespace dstore;
using namespace dstore::testing;

namespace {

struct Ranked {
  std::vector<std::uint64_t> ranks;
  std::vector<double> differences;
};

Ranked rank(const char* score, DType dtype, ByteSpan before, ByteSpan after, std::span<const double> importance = {}) {
  const std::size_t units = before.size() / unit_type(dtype).bytes;
  Ranked out{std::vector<std::uint64_t>(units), std::vector<double>(units)};
  rank_entries(find_score(score), dtype, before, after, importance, out.ranks, out.differences);
  return out;
}

template <class Float>
Bytes bytes_of(std::initializer_list<Float> values) {
  const auto raw = std::as_bytes(std::span(values.begin(), values.size()));
  return {raw.begin(), raw.end()};
}

/// As score.h says, entry by entry.
double expected(std::string_view score, double old, double difference, double importance) {
  const double d = std::abs(difference);
  if (score == "magnitude") return d;
  if (score == "relative") return d / (std::abs(old) + 0x1p-126);
  return importance * d * d;
}

}  // namespace

TEST_CASE("ranks are 0 exactly where the bits are equal, and else in the order of the scores") {
  for (const Score& score : scores()) {
    for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64, DType::c64}) {
      for (const Change change : kChanges) {
        constexpr std::size_t kUnits = 5000;  // more than one block
        const TensorPair pair = make_pair(dtype, kUnits, 0.5, change, 3);
        std::vector<double> importance(kUnits), old(kUnits);
        Random random(9);
        for (double& f : importance) f = random.below(4) == 0 ? 0 : random.uniform();
        read_doubles(dtype, pair.base, old);
        const Ranked got = rank(score.name.data(), dtype, pair.base, pair.task, importance);
        const unsigned unit = unit_type(dtype).bytes;
        INFO(score.name << " dtype " << static_cast<int>(dtype));
        bool good = true;
        for (std::size_t i = 0; i < kUnits; ++i) {
          const bool same = std::memcmp(pair.base.data() + i * unit, pair.task.data() + i * unit, unit) == 0;
          good = good && (got.ranks[i] == 0) == same;
          if (same) continue;
          if (!std::isfinite(got.differences[i])) {
            good = good && got.ranks[i] == kUnscoredRank && std::isnan(score_of_rank(got.ranks[i]));
          } else {
            const double want = expected(score.name, old[i], got.differences[i], importance[i]);
            good = good && got.ranks[i] < kUnscoredRank && score_of_rank(got.ranks[i]) == want;
          }
        }
        CHECK(good);
      }
    }
  }
}

TEST_CASE("differences that are no numbers rank above all others, zeros of another sign last") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const Bytes before = bytes_of<float>({1, 1, inf, nan, 0.0f, 3, -1e38f});
  const Bytes after = bytes_of<float>({nan, inf, 1, 1, -0.0f, 3, 1e38f});
  const Ranked got = rank("magnitude", DType::f32, before, after);
  for (std::size_t i = 0; i < 4; ++i) CHECK(got.ranks[i] == kUnscoredRank);
  CHECK(got.ranks[4] == 1);
  CHECK(got.ranks[5] == 0);
  CHECK(got.ranks[6] > 1);
  CHECK(got.ranks[6] < kUnscoredRank);
  const Ranked overflow = rank("fisher", DType::f64, bytes_of<double>({-1e308, 0}), bytes_of<double>({1e308, 1e200}), std::vector<double>{1, 1});
  CHECK(overflow.ranks[0] == kUnscoredRank);
  CHECK(overflow.ranks[1] < kUnscoredRank);
  CHECK(std::isinf(score_of_rank(overflow.ranks[1])));
}

TEST_CASE("unknown scores and dtypes without arithmetic are refused") {
  CHECK_THROWS_AS(find_score("size"), Error);
  CHECK_THROWS_AS(find_score(""), Error);
  const Bytes bytes(8);
  for (const DType dtype : all_dtypes()) {
    if (is_numeric(dtype)) continue;
    CHECK_THROWS_AS(rank("magnitude", dtype, bytes, bytes), Error);
  }
}
