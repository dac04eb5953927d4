#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dstore {

/// A row-major matrix with one row for each token.
struct TokenMatrix {
  const float* data;
  std::size_t columns;
};

/// Entries of gradient^T x, a linear layer's weight gradient, without the rest of it: sums[k] += sum over the tokens of gradient[token, e / n] *
/// x[token, e % n], where e = entries[k] and n the columns of x. In a fixed order, whatever the threads.
void add_sampled_product(std::span<const std::uint32_t> entries, TokenMatrix gradient, TokenMatrix x, std::size_t tokens, std::span<float> sums);

}  // namespace dstore
