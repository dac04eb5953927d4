#include "trainer/optim/sampled_product.h"

#include <algorithm>

#include "trainer/optim/lanes.h"
#include "trainer/optim/threads.h"

namespace dstore {
namespace {

constexpr std::size_t kLanes = 64;
constexpr std::size_t kTile = 16;

}  // namespace

DSTORE_VECTOR_CLONES static float dot(const float* __restrict a, const float* __restrict b, std::size_t count) {
  float sums[kLanes] = {};
  for (std::size_t i = 0; i < count; i += kLanes) {
    for (std::size_t j = 0; j < kLanes; ++j) sums[j] += a[i + j] * b[i + j];
  }
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t j = 0; j < half; ++j) sums[j] += sums[j + half];
  }
  return sums[0];
}

void TokenColumns::assign(TokenMatrix in, std::size_t tokens) {
  columns_ = in.columns;
  length_ = (tokens + kLanes - 1) / kLanes * kLanes;
  // An odd number of lanes between rows: a tile's lines of the cache are then not all of one set.
  stride_ = length_ / kLanes % 2 == 0 ? length_ + kLanes : length_;
  if (data_.size() < columns_ * stride_) data_.resize(columns_ * stride_);
  parallel_ranges(columns_, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t column = begin; column < end; column += kTile) {
      const std::size_t last = std::min(end, column + kTile);
      for (std::size_t token = 0; token < tokens; token += kTile) {
        const std::size_t stop = std::min(tokens, token + kTile);
        for (std::size_t c = column; c < last; ++c) {
          for (std::size_t t = token; t < stop; ++t) data_[c * stride_ + t] = in.data[t * in.columns + c];
        }
      }
      for (std::size_t c = column; c < last; ++c) std::fill(data_.data() + c * stride_ + tokens, data_.data() + c * stride_ + length_, 0.0f);
    }
  });
}

void add_sampled_product(std::span<const std::uint32_t> entries, const TokenColumns& gradient, const TokenColumns& x, std::span<float> sums) {
  parallel_ranges(entries.size(), 256, [&](std::size_t begin, std::size_t end) {
    for (std::size_t k = begin; k < end; ++k) sums[k] += dot(gradient[entries[k] / x.columns()], x[entries[k] % x.columns()], x.length());
  });
}

}  // namespace dstore
