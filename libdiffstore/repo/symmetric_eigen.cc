#include "repo/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace dstore {
namespace {

constexpr int kMaxSweeps = 60;

/// A rotation in the plane of p and q that makes matrix[p, q] 0 (Golub, Van Loan, "Matrix Computations", 8.5.2).
void rotate(std::vector<double>& matrix, std::vector<double>& vectors, std::size_t n, std::size_t p, std::size_t q) {
  const double off = matrix[p * n + q];
  if (off == 0) return;
  const double tau = (matrix[q * n + q] - matrix[p * n + p]) / (2 * off);
  const double t = (tau >= 0 ? 1 : -1) / (std::abs(tau) + std::sqrt(1 + tau * tau));
  const double c = 1 / std::sqrt(1 + t * t), s = t * c;
  for (std::size_t k = 0; k < n; ++k) {
    const double kp = matrix[k * n + p], kq = matrix[k * n + q];
    matrix[k * n + p] = c * kp - s * kq;
    matrix[k * n + q] = s * kp + c * kq;
  }
  for (std::size_t k = 0; k < n; ++k) {
    const double pk = matrix[p * n + k], qk = matrix[q * n + k];
    matrix[p * n + k] = c * pk - s * qk;
    matrix[q * n + k] = s * pk + c * qk;
  }
  for (std::size_t k = 0; k < n; ++k) {
    const double kp = vectors[k * n + p], kq = vectors[k * n + q];
    vectors[k * n + p] = c * kp - s * kq;
    vectors[k * n + q] = s * kp + c * kq;
  }
}

double off_diagonal(const std::vector<double>& matrix, std::size_t n) {
  double sum = 0;
  for (std::size_t p = 0; p < n; ++p) {
    for (std::size_t q = p + 1; q < n; ++q) sum += matrix[p * n + q] * matrix[p * n + q];
  }
  return sum;
}

}  // namespace

SymmetricEigen symmetric_eigen(std::vector<double> matrix, std::size_t n) {
  std::vector<double> vectors(n * n, 0.0);
  for (std::size_t k = 0; k < n; ++k) vectors[k * n + k] = 1;
  double size = 0;
  for (const double x : matrix) size += x * x;
  for (int sweep = 0; sweep < kMaxSweeps && off_diagonal(matrix, n) > size * 1e-32; ++sweep) {
    for (std::size_t p = 0; p < n; ++p) {
      for (std::size_t q = p + 1; q < n; ++q) rotate(matrix, vectors, n, p, q);
    }
  }
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return matrix[i * n + i] > matrix[j * n + j]; });
  SymmetricEigen out{{}, std::vector<double>(n * n)};
  for (std::size_t k = 0; k < n; ++k) {
    out.values.push_back(matrix[order[k] * n + order[k]]);
    for (std::size_t i = 0; i < n; ++i) out.vectors[i * n + k] = vectors[i * n + order[k]];
  }
  return out;
}

}  // namespace dstore
