#include "trainer/optim/sampled_product.h"

#include <algorithm>
#include <memory>

#include "trainer/optim/lanes.h"
#include "trainer/optim/threads.h"

namespace dstore {
namespace {

constexpr std::size_t kLanes = 64;
constexpr std::size_t kTile = 16;

/// The columns as rows, each filled up with zeros to `stride`: an entry is then the dot product of two rows.
class Columns {
 public:
  Columns(TokenMatrix in, std::size_t tokens, std::size_t stride) : stride_(stride), data_(std::make_unique_for_overwrite<float[]>(in.columns * stride)) {
    parallel_ranges(in.columns, 64, [&](std::size_t begin, std::size_t end) {
      for (std::size_t column = begin; column < end; column += kTile) {
        const std::size_t last = std::min(end, column + kTile);
        for (std::size_t token = 0; token < tokens; token += kTile) {
          const std::size_t stop = std::min(tokens, token + kTile);
          for (std::size_t c = column; c < last; ++c) {
            for (std::size_t t = token; t < stop; ++t) data_[c * stride_ + t] = in.data[t * in.columns + c];
          }
        }
        for (std::size_t c = column; c < last; ++c) std::fill(data_.get() + c * stride_ + tokens, data_.get() + (c + 1) * stride_, 0.0f);
      }
    });
  }
  const float* operator[](std::size_t column) const { return data_.get() + column * stride_; }

 private:
  std::size_t stride_;
  std::unique_ptr<float[]> data_;
};

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

void add_sampled_product(std::span<const std::uint32_t> entries, TokenMatrix gradient, TokenMatrix x, std::size_t tokens, std::span<float> sums) {
  const std::size_t stride = (tokens + kLanes - 1) / kLanes * kLanes;
  const Columns from(x, tokens, stride), to(gradient, tokens, stride);
  parallel_ranges(entries.size(), 256, [&](std::size_t begin, std::size_t end) {
    for (std::size_t k = begin; k < end; ++k) sums[k] += dot(to[entries[k] / x.columns], from[entries[k] % x.columns], stride);
  });
}

}  // namespace dstore
