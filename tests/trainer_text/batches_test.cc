#include "trainer/text/batches.h"

#include <algorithm>
#include <numeric>

#include "fixture.h"
#include "trainer/text/philox.h"

using namespace dstore;

namespace {

std::vector<std::uint32_t> random_lengths(std::size_t count) {
  const Philox random(9, RandomStream::sampling);
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(3 + random.word(i) % 40);
  return out;
}

std::vector<std::uint32_t> flat_sorted(const BatchPlan& plan) {
  std::vector<std::uint32_t> all;
  for (const auto& batch : plan) all.insert(all.end(), batch.begin(), batch.end());
  std::sort(all.begin(), all.end());
  return all;
}

std::size_t padded_tokens(const BatchPlan& plan, const std::vector<std::uint32_t>& lengths) {
  std::size_t total = 0;
  for (const auto& batch : plan) {
    std::uint32_t width = 0;
    for (const std::uint32_t i : batch) width = std::max(width, lengths[i]);
    total += width * batch.size();
  }
  return total;
}

}  // namespace

TEST_CASE("every plan holds every example once, in batches of the wanted size") {
  for (const std::size_t count : {0u, 1u, 31u, 32u, 33u, 1599u, 1600u, 1601u, 5000u}) {
    const auto lengths = random_lengths(count);
    for (const BatchPlan& plan : {training_batches(lengths, 32, 1, 0), evaluation_batches(lengths, 32)}) {
      std::vector<std::uint32_t> all(count);
      std::iota(all.begin(), all.end(), 0u);
      CHECK(flat_sorted(plan) == all);
      CHECK(plan.size() == (count + 31) / 32);
      CHECK(std::count_if(plan.begin(), plan.end(), [](const auto& batch) { return batch.size() != 32; }) <= 1);
    }
  }
}

TEST_CASE("training plans depend on seed and epoch alone") {
  const auto lengths = random_lengths(3000);
  CHECK(training_batches(lengths, 16, 7, 2) == training_batches(lengths, 16, 7, 2));
  CHECK(training_batches(lengths, 16, 7, 2) != training_batches(lengths, 16, 7, 3));
  CHECK(training_batches(lengths, 16, 7, 2) != training_batches(lengths, 16, 8, 2));
  // The very order is a promise: the same on every machine and in every release.
  const std::vector<std::uint32_t> same(8, 5);
  CHECK(training_batches(same, 3, 1, 0) == BatchPlan{{7, 2, 1}, {5, 0, 3}, {4, 6}});
}

TEST_CASE("bucketing wastes little and keeps lengths mixed over the epoch") {
  const auto lengths = random_lengths(20000);
  const std::size_t tokens = std::accumulate(lengths.begin(), lengths.end(), std::size_t{0});
  const BatchPlan plan = training_batches(lengths, 32, 1, 0);
  CHECK(padded_tokens(plan, lengths) < tokens * 106 / 100);
  CHECK(padded_tokens(evaluation_batches(lengths, 32), lengths) < tokens * 101 / 100);
  std::size_t first_half = 0;
  for (std::size_t b = 0; b < plan.size() / 2; ++b) {
    for (const std::uint32_t i : plan[b]) first_half += lengths[i];
  }
  CHECK(static_cast<double>(first_half) == Approx(static_cast<double>(tokens) / 2).epsilon(0.1));
}

TEST_CASE("with one bucket nothing is sorted: lengths in a batch are as mixed as in the data") {
  std::vector<std::uint32_t> lengths(4096);
  for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = static_cast<std::uint32_t>(1 + i % 64);
  const auto mean_range = [&](std::size_t buckets) {
    double sum = 0;
    const BatchPlan plan = training_batches(lengths, 32, 1, 0, buckets);
    for (const auto& batch : plan) {
      std::uint32_t low = 64, high = 0;
      for (const std::uint32_t i : batch) low = std::min(low, lengths[i]), high = std::max(high, lengths[i]);
      sum += high - low;
    }
    return sum / static_cast<double>(plan.size());
  };
  CHECK(mean_range(1) > 55);
  CHECK(mean_range(4) < 25);
  CHECK(mean_range(kBucketBatches) < 4);
}

TEST_CASE("evaluation takes the longest first, ties in file order") {
  CHECK(evaluation_batches(std::vector<std::uint32_t>{3, 9, 3, 9, 5}, 2) == BatchPlan{{1, 3}, {4, 0}, {2}});
}

TEST_CASE("a batch is padded on the right") {
  Dataset data;
  data.examples = {{{{2, 5, 3}, {0, 0, 0}}, 1, {}, 0.0}, {{{2, 5, 3, 6, 3}, {0, 0, 0, 1, 1}}, 0, {}, 0.0}};
  const std::vector<std::uint32_t> order{1, 0};
  const Batch batch = make_batch(data, order, 99);
  CHECK(batch.rows == 2);
  CHECK(batch.width == 5);
  CHECK(batch.ids == std::vector<std::int64_t>{2, 5, 3, 6, 3, 2, 5, 3, 99, 99});
  CHECK(batch.type_ids == std::vector<std::int64_t>{0, 0, 0, 1, 1, 0, 0, 0, 0, 0});
  CHECK(batch.mask == std::vector<std::int64_t>{1, 1, 1, 1, 1, 1, 1, 1, 0, 0});
  CHECK(batch.labels == std::vector<std::int64_t>{0, 1});
  CHECK(batch.values.empty());
  CHECK(batch.examples == order);
  data.task = TaskKind::regression;
  CHECK(make_batch(data, order, 0).values.size() == 2);
  test::error_of(ErrorCode::invalid_argument, [] { training_batches({}, 0, 1, 0); });
}
