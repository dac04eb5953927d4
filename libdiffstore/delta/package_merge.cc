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

constexpr std::uint64_t kNone = UINT64_MAX;  ///< follows the weights of a list, twice

/// Makes one list of package-merge: weights in increasing order, each a leaf or a package of two of the list below. Returns how
/// many there are; kNone follows once.
std::size_t merge(const std::uint64_t* leaves, const std::uint64_t* below, std::uint64_t* weights, std::uint8_t* is_package) {
  std::size_t at = 0;
  for (;; ++at) {  // no branches on the weights: they are as good as random
    const std::uint64_t package = below[0] == kNone || below[1] == kNone ? kNone : below[0] + below[1];
    const bool take_package = package < *leaves;
    weights[at] = take_package ? package : *leaves;
    if (weights[at] == kNone) return at;
    is_package[at] = static_cast<std::uint8_t>(take_package);
    below += 2 * take_package;
    leaves += !take_package;
  }
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
  const std::size_t most = 2 * leaves.size() + 2;  // nodes of a list and what follows them
  std::vector<std::uint64_t> weights(2 * most, kNone), leaf_weights;
  std::vector<std::uint8_t> is_package(max_bits * most);
  for (const Leaf& leaf : leaves) leaf_weights.push_back(leaf.weight);
  leaf_weights.push_back(kNone);
  for (unsigned i = 0; i < max_bits; ++i) {
    std::uint64_t* const list = weights.data() + i % 2 * most;
    const std::size_t size = merge(leaf_weights.data(), weights.data() + (i + 1) % 2 * most, list, is_package.data() + i * most);
    list[size + 1] = kNone;
  }
  std::size_t taken = 2 * leaves.size() - 2;
  for (unsigned i = max_bits; i-- > 0;) {
    std::size_t leaf = 0;
    std::size_t packages = 0;
    for (std::size_t node = 0; node < taken; ++node) {
      if (is_package[i * most + node] != 0) {
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
