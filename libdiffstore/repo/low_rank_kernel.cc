#include "repo/low_rank_kernel.h"

#include <algorithm>

// Built with -ffp-contract=off and without -ffast-math: see spec/objects.md, "Low rank".
namespace dstore {
namespace {

constexpr std::size_t kTile = 64;  ///< columns whose sums stay in registers

[[gnu::always_inline]] inline void products(float* sum, std::size_t rows, std::size_t width, const float* b, std::size_t b_stride, const float* a,
                                            std::size_t count) {
  for (std::size_t first = 0; first < width; first += kTile) {
    const std::size_t size = std::min(kTile, width - first);
    for (std::size_t i = 0; i < rows; ++i) {
      float* out = sum + i * width + first;
      float tile[kTile] = {};
      std::copy_n(out, size, tile);
      for (std::size_t k = 0; k < count; ++k) {
        const float factor = b[i * b_stride + k];
        const float* row = a + k * width + first;
        if (size == kTile) {
          for (std::size_t j = 0; j < kTile; ++j) tile[j] += factor * row[j];
        } else {
          for (std::size_t j = 0; j < size; ++j) tile[j] += factor * row[j];
        }
      }
      std::copy_n(tile, size, out);
    }
  }
}

void products_plain(float* sum, std::size_t rows, std::size_t width, const float* b, std::size_t b_stride, const float* a, std::size_t count) {
  products(sum, rows, width, b, b_stride, a, count);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void products_avx2(float* sum, std::size_t rows, std::size_t width, const float* b, std::size_t b_stride, const float* a,
                                           std::size_t count) {
  products(sum, rows, width, b, b_stride, a, count);
}
[[gnu::target("avx512f")]] void products_avx512(float* sum, std::size_t rows, std::size_t width, const float* b, std::size_t b_stride,
                                                const float* a, std::size_t count) {
  products(sum, rows, width, b, b_stride, a, count);
}
#endif

auto best_products() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return products_avx512;
  if (__builtin_cpu_supports("avx2")) return products_avx2;
#endif
  return products_plain;
}

}  // namespace

void add_products(float* sum, std::size_t rows, std::size_t width, const float* b, std::size_t b_stride, const float* a, std::size_t count) {
  static const auto run = best_products();
  run(sum, rows, width, b, b_stride, a, count);
}

bool add_scaled(float* base, const float* sum, float scale, std::size_t count) {
  bool good = true;
  for (std::size_t i = 0; i < count; ++i) {
    const float change = scale * sum[i];
    base[i] += change;
    good &= base[i] == base[i];
  }
  return good;
}

}  // namespace dstore
