#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dstore {

/// A row-major matrix with one row for each token.
struct TokenMatrix {
  const float* data;
  std::size_t columns;
};

/// A matrix's columns as rows, each filled up with zeros: an entry of a product over the tokens is then the dot product of two rows.
class TokenColumns {
 public:
  /// Keeps its memory for the next matrix.
  void assign(TokenMatrix in, std::size_t tokens);
  std::size_t columns() const { return columns_; }
  std::size_t length() const { return length_; }  ///< tokens and zeros
  const float* operator[](std::size_t column) const { return data_.data() + column * stride_; }

 private:
  std::size_t columns_ = 0, length_ = 0, stride_ = 0;
  std::vector<float> data_;
};

/// Entries of gradient^T x, a linear layer's weight gradient, without the rest of it: sums[k] += sum over the tokens of gradient[token, e / n] *
/// x[token, e % n], where e = entries[k] and n the columns of x. In a fixed order, whatever the threads.
void add_sampled_product(std::span<const std::uint32_t> entries, const TokenColumns& gradient, const TokenColumns& x, std::span<float> sums);

}  // namespace dstore
