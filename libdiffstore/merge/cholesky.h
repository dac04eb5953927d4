#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace dstore {

/// The Cholesky factor of a symmetric positive semidefinite matrix in double, operations in one fixed order.
class Cholesky {
 public:
  /// `matrix` is size * size, row-major; only its upper triangle is read. Where a pivot falls below 1e-12 of the mean of the diagonal, the
  /// smallest jitter of 1e-10, 1e-9, … of that mean with which none does is added to the diagonal; to a matrix of zeros 1.
  Cholesky(std::vector<double> matrix, std::size_t size);

  /// Solves A x = right in place.
  void solve(std::span<double> right) const;
  double jitter() const { return jitter_; }  ///< share of the mean of the diagonal that was added

 private:
  bool factor(double least_pivot);

  std::size_t size_;
  std::vector<double> upper_;  ///< A = U^T U
  double jitter_ = 0;
};

}  // namespace dstore
