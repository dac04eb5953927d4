#include "delta/huffman.h"

#include <algorithm>
#include <vector>

#include "delta/residual.h"

namespace dstore {

using namespace segment_layout;

namespace {

struct Leaf {
  std::uint64_t weight;
  unsigned token;
};

/// One list of package-merge: weights in increasing order, each a leaf or a package of two of the list below.
struct Level {
  std::vector<std::uint64_t> weights;
  std::vector<bool> is_package;
};

Level merge(const std::vector<Leaf>& leaves, const Level& below) {
  Level level;
  std::size_t leaf = 0;
  std::size_t pair = 0;
  const std::size_t pairs = below.weights.size() / 2;
  while (leaf < leaves.size() || pair < pairs) {
    const std::uint64_t package = pair < pairs ? below.weights[2 * pair] + below.weights[2 * pair + 1] : 0;
    const bool take_leaf = pair == pairs || (leaf < leaves.size() && leaves[leaf].weight <= package);
    level.weights.push_back(take_leaf ? leaves[leaf].weight : package);
    level.is_package.push_back(!take_leaf);
    ++(take_leaf ? leaf : pair);
  }
  return level;
}

std::uint16_t reversed(unsigned code, unsigned length) {
  unsigned out = 0;
  for (unsigned i = 0; i < length; ++i) out |= ((code >> i) & 1u) << (length - 1 - i);
  return static_cast<std::uint16_t>(out);
}

}  // namespace

CodeLengths code_lengths(const TokenCounts& counts) {
  std::vector<Leaf> leaves;
  CodeLengths table;
  for (unsigned token = 0; token < kTokens; ++token) {
    if (counts[token] != 0) leaves.push_back({counts[token], token});
  }
  if (leaves.empty()) return table;
  table.first = static_cast<std::uint8_t>(leaves.front().token);
  table.count = static_cast<std::uint8_t>(leaves.back().token - table.first + 1);
  if (leaves.size() == 1) return table;

  std::stable_sort(leaves.begin(), leaves.end(), [](const Leaf& a, const Leaf& b) { return a.weight < b.weight; });
  std::vector<Level> levels(kMaxCodeBits);
  levels[0] = merge(leaves, {});
  for (unsigned i = 1; i < kMaxCodeBits; ++i) levels[i] = merge(leaves, levels[i - 1]);
  std::size_t taken = 2 * leaves.size() - 2;
  for (unsigned i = kMaxCodeBits; i-- > 0;) {
    std::size_t leaf = 0;
    std::size_t packages = 0;
    for (std::size_t node = 0; node < taken; ++node) {
      if (levels[i].is_package[node]) {
        ++packages;
      } else {
        ++table.lengths[leaves[leaf++].token];
      }
    }
    taken = 2 * packages;
  }
  return table;
}

std::uint64_t coded_bits(const CodeLengths& table, const TokenCounts& counts) {
  std::uint64_t bits = 0;
  for (unsigned token = 0; token < kTokens; ++token) bits += counts[token] * (table.lengths[token] + extra_bits(token));
  return bits;
}

bool is_complete(const CodeLengths& table) {
  if (table.count == 0) return false;
  if (table.count == 1) return table.lengths[table.first] == 0;
  std::uint64_t kraft = 0;
  for (unsigned length : table.lengths) {
    if (length != 0) kraft += std::uint64_t{1} << (kMaxCodeBits - length);
  }
  return kraft == std::uint64_t{1} << kMaxCodeBits;
}

EncodeTable encode_table(const CodeLengths& table) {
  EncodeTable out;
  out.lengths = table.lengths;
  unsigned code = 0;
  for (unsigned length = 1; length <= kMaxCodeBits; ++length, code <<= 1) {
    for (unsigned token = 0; token < kTokens; ++token) {
      if (table.lengths[token] == length) out.codes[token] = reversed(code++, length);
    }
  }
  return out;
}

}  // namespace dstore
