#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace dstore {

/// A matrix that is read by rows.
struct RowMatrix {
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  std::function<void(std::uint64_t first, std::uint64_t count, float* out)> read;
};

/// D is nearly B x A; singular values are shared evenly: B = U sqrt(S), A = sqrt(S) V^T.
struct LowRankPair {
  std::vector<float> b;   ///< rows x rank
  std::vector<float> a;   ///< rank x columns
  double energy = 0;      ///< sum of squares of D
  double kept = 0;        ///< of B x A, before it is rounded to F32
  bool finite = true;     ///< false: D has a NaN or infinity, and the rest is 0
};

/// The best approximation of rank `rank`, by randomised subspace iteration (Halko, Martinsson, Tropp 2011, algorithm 4.4) in F64: a
/// sample of rank + 8 columns, 4 iterations, signs of a fixed seed; exact (up to rounding) where the matrix has no more rows or columns than
/// the sample. Rows and columns beyond the matrix's own rank are 0. Matrices of up to 256 MiB are read once, larger ones in blocks of that
/// size at every pass. The bits do not depend on the number of threads.
LowRankPair truncated_svd(const RowMatrix& matrix, std::uint64_t rank, unsigned threads);

}  // namespace dstore
