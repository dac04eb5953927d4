#include <xxhash.h>

#include <bit>
#include <cstring>
#include <type_traits>

#include "delta/kernels.h"

namespace dstore {

using namespace segment_layout;

namespace {

#include "delta/kernels_loops.inc"

std::uint64_t compare(const UnitType& unit, const std::byte* a, const std::byte* b, std::size_t count, std::uint64_t* words) {
  return for_unit(unit, [&]<class U, class F>(U, F) {
    std::uint64_t changed = 0;
    for (std::size_t at = 0; at < count; at += 64) {
      const std::size_t take = count - at < 64 ? count - at : 64;
      const bool equal = std::memcmp(a + at * sizeof(U), b + at * sizeof(U), take * sizeof(U)) == 0;
      const std::uint64_t word = equal ? 0 : differences<U>(a + at * sizeof(U), b + at * sizeof(U), take);
      *words++ = word;
      changed += static_cast<unsigned>(std::popcount(word));
    }
    return changed;
  });
}

std::size_t rice(const RiceStreams& in, std::uint32_t* out) {
  const std::uint64_t end_bit = find_ones(in, 0, 0, out);
  if (end_bit == 0 || !add_remainders(in, 0, 0, out) || !padding_is_zero(in, end_bit)) return 0;
  return static_cast<std::size_t>((end_bit + 7) / 8);
}

bool everywhere() { return true; }

}  // namespace

constinit const Kernels kPlainKernels = {"plain", everywhere, compare, residuals, cells, encode, decode, apply, split, merge, checksum, rice, count_ones, list_ones};

}  // namespace dstore
