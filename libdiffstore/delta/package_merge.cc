#include "delta/package_merge.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace dstore {
namespace {

struct Leaf {
  std::uint64_t weight;
  std::size_t symbol;
};

/// One list of package-merge: weights in increasing order, each a leaf or a package of two of the list below.
struct Level {
  std::vector<std::uint64_t> weights;
  std::vector<std::uint8_t> is_package;
};

Level merge(const std::vector<Leaf>& leaves, const Level& below) {
  Level level;
  std::size_t leaf = 0;
  std::size_t pair = 0;
  const std::size_t pairs = below.weights.size() / 2;
  level.weights.reserve(leaves.size() + pairs);
  level.is_package.reserve(leaves.size() + pairs);
  while (leaf < leaves.size() || pair < pairs) {
    const std::uint64_t package = pair < pairs ? below.weights[2 * pair] + below.weights[2 * pair + 1] : 0;
    const bool take_leaf = pair == pairs || (leaf < leaves.size() && leaves[leaf].weight <= package);
    level.weights.push_back(take_leaf ? leaves[leaf].weight : package);
    level.is_package.push_back(take_leaf ? 0 : 1);
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

void package_merge(std::span<const std::uint64_t> counts, unsigned max_bits, std::span<std::uint8_t> lengths) {
  std::fill(lengths.begin(), lengths.end(), std::uint8_t{0});
  std::vector<Leaf> leaves;
  for (std::size_t symbol = 0; symbol < counts.size(); ++symbol) {
    if (counts[symbol] != 0) leaves.push_back({counts[symbol], symbol});
  }
  if (leaves.size() < 2) return;

  std::stable_sort(leaves.begin(), leaves.end(), [](const Leaf& a, const Leaf& b) { return a.weight < b.weight; });
  std::vector<Level> levels(max_bits);
  levels[0] = merge(leaves, {});
  for (unsigned i = 1; i < max_bits; ++i) levels[i] = merge(leaves, levels[i - 1]);
  std::size_t taken = 2 * leaves.size() - 2;
  for (unsigned i = max_bits; i-- > 0;) {
    std::size_t leaf = 0;
    std::size_t packages = 0;
    for (std::size_t node = 0; node < taken; ++node) {
      if (levels[i].is_package[node] != 0) {
        ++packages;
      } else {
        ++lengths[leaves[leaf++].symbol];
      }
    }
    taken = 2 * packages;
  }
}

bool is_complete_code(std::span<const std::uint8_t> lengths, unsigned max_bits) {
  std::uint64_t kraft = 0;
  for (unsigned length : lengths) {
    if (length > max_bits) return false;
    if (length != 0) kraft += std::uint64_t{1} << (max_bits - length);
  }
  return kraft == std::uint64_t{1} << max_bits;
}

void canonical_codes(std::span<const std::uint8_t> lengths, unsigned max_bits, std::span<std::uint16_t> codes) {
  std::array<unsigned, 32> used{};
  for (unsigned length : lengths) ++used[length];
  std::array<unsigned, 32> next{};
  for (unsigned length = 2; length <= max_bits; ++length) next[length] = (next[length - 1] + used[length - 1]) << 1;
  for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
    if (lengths[symbol] != 0) codes[symbol] = reversed(next[lengths[symbol]]++, lengths[symbol]);
  }
}

}  // namespace dstore
