#include "delta/huffman.h"

#include "catch.h"
#include "tensor_pairs.h"

using namespace dstore;
using namespace dstore::segment_layout;

TEST_CASE("Code lengths are complete and within the limit, however skewed the counts") {
  testing::Random random(3);
  for (unsigned round = 0; round < 300; ++round) {
    TokenCounts counts{};
    const std::uint64_t tokens = 1 + random.below(kTokens);
    for (std::uint64_t i = 0; i < tokens; ++i) counts[random.below(kTokens)] = 1 + (random.next() >> random.below(64)) % (1ull << 40);
    const CodeLengths table = code_lengths(counts);
    REQUIRE(is_complete(table));
    for (unsigned token = 0; token < kTokens; ++token) {
      REQUIRE(table.lengths[token] <= kMaxCodeBits);
      if (table.count > 1) REQUIRE((table.lengths[token] != 0) == (counts[token] != 0));
    }
  }
}

TEST_CASE("Counts of powers of two get the lengths of the textbook") {
  TokenCounts counts{};
  counts[3] = 8;
  counts[4] = 4;
  counts[5] = 2;
  counts[6] = 1;
  counts[9] = 1;
  const CodeLengths table = code_lengths(counts);
  CHECK(table.first == 3);
  CHECK(table.count == 7);
  CHECK(table.lengths[3] == 1);
  CHECK(table.lengths[4] == 2);
  CHECK(table.lengths[5] == 3);
  CHECK(table.lengths[6] == 4);
  CHECK(table.lengths[9] == 4);
  CHECK(table.lengths[7] == 0);
}

TEST_CASE("A single token needs no bits and no token no table") {
  TokenCounts counts{};
  CHECK(code_lengths(counts).count == 0);
  counts[17] = 5;
  const CodeLengths table = code_lengths(counts);
  CHECK(table.first == 17);
  CHECK(table.count == 1);
  CHECK(coded_bits(table, counts) == 5 * 5);
}

TEST_CASE("No code begins another") {
  TokenCounts counts{};
  for (unsigned token = 0; token < kTokens; ++token) counts[token] = 1 + token * token;
  const CodeLengths table = code_lengths(counts);
  const EncodeTable codes = encode_table(table);
  for (unsigned a = 0; a < kTokens; ++a) {
    for (unsigned b = 0; b < kTokens; ++b) {
      if (a == b || table.lengths[a] > table.lengths[b]) continue;
      CHECK((codes.codes[b] & ((1u << table.lengths[a]) - 1)) != codes.codes[a]);
    }
  }
}
