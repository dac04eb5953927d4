#pragma once

#include <cstddef>

namespace dstore {

/// sum[i, j] = fl(sum[i, j] + fl(b[i, k] * a[k, j])) for k = 0 .. count - 1 in this order. sum is rows x width, a is count x width,
/// row i of b starts at b + i * b_stride. The vector units change the speed, never a bit: an element's operations stay the same.
void add_products(float* sum, std::size_t rows, std::size_t width, const float* b, std::size_t b_stride, const float* a, std::size_t count);

/// base[i] = fl(base[i] + fl(scale * sum[i])); false if one of them is NaN.
bool add_scaled(float* base, const float* sum, float scale, std::size_t count);

}  // namespace dstore
