#include "base/radix_select.h"

#include <algorithm>
#include <functional>
#include <random>

#include "catch.h"

using namespace dstore;

namespace {

using Keys = std::vector<std::uint64_t>;

RadixSelect select(const Keys& keys, unsigned bits, std::uint64_t k) {
  RadixSelect out(bits, k);
  for (unsigned pass = 0; !out.done(); ++pass) {
    REQUIRE(pass < bits / RadixSelect::kDigitBits);
    RadixSelect::Counts counts(RadixSelect::kBins);
    for (const std::uint64_t key : keys) {
      if (out.wants(key)) ++counts[out.digit(key)];
    }
    out.narrow(counts);
  }
  return out;
}

Keys selected(const Keys& keys, const RadixSelect& cut) {
  Keys out;
  std::uint64_t ties = 0;
  for (const std::uint64_t key : keys) {
    if (key > cut.threshold() || (key == cut.threshold() && ties++ < cut.ties())) out.push_back(key);
  }
  return out;
}

}  // namespace

TEST_CASE("a radix selection takes what sorting takes") {
  std::mt19937_64 engine(5);
  for (const unsigned bits : {16u, 32u, 48u, 64u}) {
    for (const unsigned used : {1u, 3u, 16u, 17u, 40u, 64u}) {  // few used bits: many ties
      for (const unsigned from : {0u, bits - 16}) {
        Keys keys(700);
        const std::uint64_t all = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
        for (std::uint64_t& key : keys) key = ((used == 64 ? engine() : engine() & ((std::uint64_t{1} << used) - 1)) << from) & all;
        Keys sorted = keys;
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        std::erase(sorted, 0);
        for (const std::uint64_t k : {0u, 1u, 2u, 100u, 350u, 699u, 700u, 701u, 99999u}) {
          INFO(bits << " bits, " << used << " used from " << from << ", k " << k);
          Keys got = selected(keys, select(keys, bits, k));
          std::sort(got.begin(), got.end(), std::greater<>());
          CHECK(got == Keys(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(k, sorted.size()))));
        }
      }
    }
  }
}

TEST_CASE("ties are split only where some of them are left out") {
  const Keys keys{7, 3, 7, 0, 7, 9};
  CHECK(select(keys, 64, 3).splits_ties());
  CHECK(select(keys, 64, 3).threshold() == 7);
  CHECK(select(keys, 64, 3).ties() == 2);
  for (const std::uint64_t k : {0u, 1u, 4u, 5u, 6u}) CHECK_FALSE(select(keys, 64, k).splits_ties());
}
