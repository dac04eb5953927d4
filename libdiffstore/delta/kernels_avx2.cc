#if defined(__x86_64__)

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#include <bit>
#include <cstring>
#include <type_traits>

#include "delta/kernels.h"

namespace dstore {

using namespace segment_layout;

namespace {

constexpr auto make_ranks() {
  std::array<std::array<std::uint8_t, 8>, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned rank = 0;
    for (unsigned bit = 0; bit < 8; ++bit) {
      if ((byte >> bit & 1) == 0) continue;
      table[byte][rank] = static_cast<std::uint8_t>(bit - rank);
      ++rank;
    }
  }
  return table;
}
/// For each byte: of its i-th one bit, index minus i.
constexpr auto kRanks = make_ranks();

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"); }

}  // namespace

}  // namespace dstore

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt")
#endif

// Its own copy of xxHash, as the library's is compiled for any processor.
#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_AVX2
#include <xxhash.h>

namespace dstore {

using namespace segment_layout;

namespace {

#include "delta/kernels_loops.inc"

inline __m256i load_vector(const std::byte* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }

/// A bit for each of 32 units: whether they are equal.
template <class U>
inline std::uint32_t equal_bits(const std::byte* a, const std::byte* b) {
  const auto equal = [&](unsigned v) {
    const __m256i x = load_vector(a + 32 * v), y = load_vector(b + 32 * v);
    if constexpr (sizeof(U) == 1) return _mm256_cmpeq_epi8(x, y);
    if constexpr (sizeof(U) == 2) return _mm256_cmpeq_epi16(x, y);
    if constexpr (sizeof(U) == 4) return _mm256_cmpeq_epi32(x, y);
    return _mm256_cmpeq_epi64(x, y);
  };
  if constexpr (sizeof(U) == 1) {
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(equal(0)));
  } else if constexpr (sizeof(U) == 2) {
    const __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi16(equal(0), equal(1)), 0xd8);
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(both));
  } else {
    std::uint32_t bits = 0;
    for (unsigned v = 0; v < sizeof(U); ++v) {
      const unsigned lanes = sizeof(U) == 4 ? static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(equal(v))))
                                            : static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(equal(v))));
      bits |= lanes << (v * 32 / sizeof(U));
    }
    return bits;
  }
}

std::uint64_t compare(const UnitType& unit, const std::byte* a, const std::byte* b, std::size_t count, std::uint64_t* words) {
  return for_unit(unit, [&]<class U, class F>(U, F) {
    std::uint64_t changed = 0;
    std::size_t at = 0;
    for (; at + 64 <= count; at += 64) {
      const std::uint64_t low = equal_bits<U>(a + at * sizeof(U), b + at * sizeof(U));
      const std::uint64_t high = equal_bits<U>(a + (at + 32) * sizeof(U), b + (at + 32) * sizeof(U));
      const std::uint64_t word = ~(low | high << 32);
      *words++ = word;
      changed += static_cast<unsigned>(__builtin_popcountll(word));
    }
    if (at < count) {
      *words = differences<U>(a + at * sizeof(U), b + at * sizeof(U), count - at);
      changed += static_cast<unsigned>(__builtin_popcountll(*words));
    }
    return changed;
  });
}

/// Where in a group of eight remainders, which is `rice` bytes, each lies: byte shuffles and shifts.
struct Unpacking {
  __m256i shuffle, shift, mask;
  explicit Unpacking(unsigned rice) {
    alignas(32) std::uint8_t bytes[32];
    alignas(32) std::uint32_t shifts[8];
    for (unsigned lane = 0; lane < 8; ++lane) {
      const unsigned bit = lane * rice - (lane >= 4 ? rice / 2 * 8 : 0);
      for (unsigned b = 0; b < 4; ++b) bytes[4 * lane + b] = static_cast<std::uint8_t>(bit / 8 + b);
      shifts[lane] = bit % 8;
    }
    shuffle = _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes));
    shift = _mm256_load_si256(reinterpret_cast<const __m256i*>(shifts));
    mask = _mm256_set1_epi32(static_cast<int>((1u << rice) - 1));
  }
  __m256i operator()(const std::byte* group, unsigned rice) const {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(group));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(group + rice / 2));
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    return _mm256_and_si256(_mm256_srlv_epi32(_mm256_shuffle_epi8(both, shuffle), shift), mask);
  }
};

/// Sums of the lanes up to each.
inline __m256i prefix_sums(__m256i v) {
  v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
  v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
  const __m256i low_total = _mm256_permutevar8x32_epi32(v, _mm256_set1_epi32(3));
  return _mm256_add_epi32(v, _mm256_blend_epi32(_mm256_setzero_si256(), low_total, 0xf0));
}

std::size_t rice(const RiceStreams& in, std::uint32_t* out) {
  std::uint32_t found = 0;
  std::size_t at = 0;
  for (; at < in.quotients.size() && found + 8 < in.count; ++at) {
    const unsigned byte = static_cast<unsigned>(in.quotients[at]);
    const __m128i ranks = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kRanks[byte].data()));
    const __m256i first = _mm256_set1_epi32(static_cast<int>(8 * static_cast<std::uint32_t>(at) - found));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + found), _mm256_add_epi32(_mm256_cvtepu8_epi32(ranks), first));
    found += static_cast<std::uint32_t>(__builtin_popcount(byte));
  }
  const std::uint64_t end_bit = find_ones(in, found, at, out);
  if (end_bit == 0 || (end_bit - in.count) << in.rice >= in.limit) return 0;

  // A group's remainders sum to less than 2^24 and `sum` stays below the limit, so nothing wraps before it is noticed.
  std::uint32_t index = 0;
  std::uint32_t sum = 0;
  if (in.rice <= kMaxRice && in.remainders.size() >= 32) {
    const Unpacking unpack(in.rice);
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(in.rice));
    const __m256i last_lane = _mm256_set1_epi32(7);
    const std::size_t last = in.remainders.size() - 32;
    __m256i sums = _mm256_setzero_si256();
    for (std::size_t group = 0; index + 8 <= in.count && group <= last; index += 8, group += in.rice) {
      sums = _mm256_add_epi32(prefix_sums(unpack(in.remainders.data() + group, in.rice)), sums);
      const __m256i ones = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(out + index));
      const __m256i order = _mm256_add_epi32(lanes, _mm256_set1_epi32(static_cast<int>(index)));
      const __m256i positions = _mm256_add_epi32(_mm256_add_epi32(_mm256_sll_epi32(ones, shift), sums), order);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + index), positions);
      sums = _mm256_permutevar8x32_epi32(sums, last_lane);
      sum = static_cast<std::uint32_t>(_mm256_cvtsi256_si32(sums));
      if (sum >= in.limit || out[index + 7] >= in.limit) return 0;
    }
  }
  if (!add_remainders(in, index, sum, out) || !padding_is_zero(in, end_bit)) return 0;
  return static_cast<std::size_t>((end_bit + 7) / 8);
}

}  // namespace

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

constinit const Kernels kAvx2Kernels = {"avx2", has_avx2, compare, residuals, cells, encode, decode, apply, split, merge, checksum, rice, count_ones, list_ones};

}  // namespace dstore

#endif
