#pragma once

#include <cstddef>
#include <vector>

namespace dstore {

/// Eigenvalues, largest first, of a symmetric n x n matrix, and their vectors as columns (vectors[i * n + k] of value k). Cyclic Jacobi
/// rotations: n is small. The matrix is finite.
struct SymmetricEigen {
  std::vector<double> values;
  std::vector<double> vectors;
};
SymmetricEigen symmetric_eigen(std::vector<double> matrix, std::size_t n);

}  // namespace dstore
