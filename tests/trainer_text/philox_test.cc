#include "trainer/text/philox.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "catch.h"

using namespace dstore;

TEST_CASE("Philox4x32-10 gives the published known answers") {
  // Random123, tests/kat_vectors.
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(philox4x32({ones, ones, ones, ones}, {ones, ones}) == PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
  static_assert(philox4x32({0, 0, 0, 0}, {0, 0})[0] == 0x6627e8d5);
}

TEST_CASE("seed, stream, step, tensor and element each have their own place in key and counter") {
  const Philox random(0x299f31d0a4093822u, static_cast<RandomStream>(0x85a3), 0x03707344, 0x13198a2e);
  CHECK(random.block(0x08d3243f6a88u) == philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}));
  const PhiloxBlock block = random.block(7);
  for (std::uint64_t lane = 0; lane < 4; ++lane) CHECK(random.word(28 + lane) == block[lane]);
}

TEST_CASE("uniform numbers stay inside the open interval") {
  CHECK(uniform_float(0) == 0x1p-24f);
  CHECK(uniform_float(0xffffffff) == 1.0f - 0x1p-24f);
  CHECK(uniform_float(0x80000000) == 0.5f + 0x1p-24f);
  CHECK(uniform_double(0, 0) > 0.0);
  CHECK(uniform_double(0xffffffff, 0xffffffff) < 1.0);
}

TEST_CASE("uniform and normal numbers have the right moments") {
  const Philox random(1, RandomStream::gate_noise);
  const int n = 200000;
  double mean = 0, square = 0, normal_mean = 0, normal_square = 0;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform(static_cast<std::uint64_t>(i)), z = random.normal(static_cast<std::uint64_t>(i));
    mean += u / n, square += u * u / n, normal_mean += z / n, normal_square += z * z / n;
  }
  CHECK(mean == Approx(0.5).margin(0.004));
  CHECK(square == Approx(1.0 / 3).margin(0.004));
  CHECK(normal_mean == Approx(0.0).margin(0.01));
  CHECK(normal_square == Approx(1.0).margin(0.02));
}

TEST_CASE("bounded draws are in range and even") {
  PhiloxSequence random(Philox(3, RandomStream::data_order));
  for (const std::uint32_t bound : {1u, 2u, 3u, 10u, 0x80000001u, 0xffffffffu}) {
    for (int i = 0; i < 100; ++i) CHECK(random.below(bound) < bound);
  }
  std::array<int, 6> counts{};
  for (int i = 0; i < 60000; ++i) ++counts[random.below(6)];
  for (const int count : counts) CHECK(std::abs(count - 10000) < 500);
  // Two thirds of 2^32: without rejection one half of the values would come twice as often.
  int low = 0;
  for (int i = 0; i < 30000; ++i) low += random.below(0xAAAAAAABu) < 0x55555555u;
  CHECK(std::abs(low - 15000) < 500);
}

TEST_CASE("a shuffle is a permutation, the same for the same key") {
  const auto shuffled = [](std::uint64_t seed, std::uint32_t step) {
    std::vector<int> items(10);
    std::iota(items.begin(), items.end(), 0);
    PhiloxSequence random(Philox(seed, RandomStream::data_order, step));
    shuffle(std::span(items), random);
    return items;
  };
  CHECK(shuffled(42, 0) == shuffled(42, 0));
  CHECK(shuffled(42, 0) != shuffled(42, 1));
  CHECK(shuffled(42, 0) != shuffled(43, 0));
  CHECK(shuffled(42, 0) == std::vector<int>{7, 2, 1, 5, 6, 4, 3, 0, 8, 9});  // a promise: the same on every machine
  std::set<std::vector<int>> all;
  for (std::uint32_t step = 0; step < 2000; ++step) {
    std::vector<int> items{0, 1, 2, 3};
    PhiloxSequence random(Philox(1, RandomStream::data_order, step));
    shuffle(std::span(items), random);
    all.insert(items);
  }
  CHECK(all.size() == 24);
}
