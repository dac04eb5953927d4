#include <bit>
#include <cstring>
#include <type_traits>

#include "delta/kernels.h"

namespace dstore {

using namespace segment_layout;

namespace {

#include "delta/kernels_loops.inc"

std::size_t rice(const RiceStreams& in, std::uint32_t* out) {
  const std::uint64_t end_bit = find_ones(in, 0, 0, out);
  if (end_bit == 0 || !add_remainders(in, 0, 0, out) || !padding_is_zero(in, end_bit)) return 0;
  return static_cast<std::size_t>((end_bit + 7) / 8);
}

bool everywhere() { return true; }

}  // namespace

constinit const Kernels kPlainKernels = {"plain", everywhere, cells, encode, decode, apply, split, merge, rice};

}  // namespace dstore
