#include "merge/cholesky.h"

#include <cmath>

namespace dstore {
namespace {

void subtract_multiple(double factor, const double* from, double* to, std::size_t count) {
  for (std::size_t j = 0; j < count; ++j) to[j] -= factor * from[j];
}

/// By eight partial sums, so that the order is fixed and a processor can take several at once.
double product(const double* a, const double* b, std::size_t count) {
  double sums[8] = {};
  std::size_t j = 0;
  for (; j + 8 <= count; j += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += a[j + lane] * b[j + lane];
  }
  for (std::size_t lane = 0; j < count; ++j, ++lane) sums[lane] += a[j] * b[j];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

}  // namespace

Cholesky::Cholesky(std::vector<double> matrix, std::size_t size) : size_(size) {
  double mean = 0;
  for (std::size_t k = 0; k < size; ++k) mean += matrix[k * size + k] / static_cast<double>(size);
  if (!(mean > 0)) mean = 1, jitter_ = 1;
  while (true) {
    upper_ = matrix;
    for (std::size_t k = 0; k < size; ++k) upper_[k * size + k] += jitter_ * mean;
    if (factor(1e-12 * mean)) return;
    jitter_ = jitter_ == 0 ? 1e-10 : jitter_ * 10;
  }
}

bool Cholesky::factor(double least_pivot) {
  for (std::size_t k = 0; k < size_; ++k) {
    double* row = upper_.data() + k * size_;
    if (!(row[k] > least_pivot)) return false;
    const double root = std::sqrt(row[k]);
    for (std::size_t j = k; j < size_; ++j) row[j] /= root;
    for (std::size_t i = k + 1; i < size_; ++i) subtract_multiple(row[i], row + i, upper_.data() + i * size_ + i, size_ - i);
  }
  return true;
}

void Cholesky::solve(std::span<double> right) const {
  for (std::size_t k = 0; k < size_; ++k) {
    right[k] /= upper_[k * size_ + k];
    subtract_multiple(right[k], upper_.data() + k * size_ + k + 1, right.data() + k + 1, size_ - k - 1);
  }
  for (std::size_t k = size_; k-- > 0;) {
    const double rest = product(upper_.data() + k * size_ + k + 1, right.data() + k + 1, size_ - k - 1);
    right[k] = (right[k] - rest) / upper_[k * size_ + k];
  }
}

}  // namespace dstore
