#include "repo/truncated_svd.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/philox.h"
#include "repo/symmetric_eigen.h"

namespace dstore {
namespace {

constexpr std::uint64_t kBlockFloats = std::uint64_t{64} << 20;
constexpr std::uint64_t kOversampling = 8, kIterations = 4;
constexpr std::uint64_t kRowsAtOnce = 32, kColumnsAtOnce = 128;
constexpr PhiloxKey kKey = {0x64736d61, 0x72616e6b};

/// `count` rows of `width` numbers.
struct Tall {
  std::uint64_t count = 0, width = 0;
  std::vector<double> numbers;

  Tall(std::uint64_t rows, std::uint64_t columns) : count(rows), width(columns), numbers(rows * columns, 0.0) {}
  double* row(std::uint64_t i) { return numbers.data() + i * width; }
  const double* row(std::uint64_t i) const { return numbers.data() + i * width; }
};

/// The matrix, in blocks of rows; a single block stays in memory.
class Blocks {
 public:
  Blocks(const RowMatrix& matrix, unsigned threads)
      : matrix_(matrix), threads_(threads), rows_(std::clamp<std::uint64_t>(kBlockFloats / std::max<std::uint64_t>(1, matrix.columns), 1, std::max<std::uint64_t>(1, matrix.rows))) {}

  template <typename Visit>
  void each(const Visit& visit) {
    for (std::uint64_t first = 0; first < matrix_.rows; first += rows_) {
      const std::uint64_t count = std::min(rows_, matrix_.rows - first);
      if (count < matrix_.rows || block_.empty()) {
        block_.resize(count * matrix_.columns);
        matrix_.read(first, count, block_.data());
      }
      visit(first, count, block_.data());
    }
  }

  /// D x Z: every row on its own.
  Tall times(const Tall& z) {
    Tall out(matrix_.rows, z.width);
    each([&](std::uint64_t first, std::uint64_t count, const float* d) {
      parallel_for((count + kRowsAtOnce - 1) / kRowsAtOnce, threads_, [&](std::size_t part) {
        for (std::uint64_t i = part * kRowsAtOnce; i < std::min(count, (part + 1) * kRowsAtOnce); ++i) {
          double* to = out.row(first + i);
          for (std::uint64_t j = 0; j < matrix_.columns; ++j) {
            const double factor = d[i * matrix_.columns + j];
            const double* from = z.row(j);
            for (std::uint64_t k = 0; k < z.width; ++k) to[k] += factor * from[k];
          }
        }
      });
    });
    return out;
  }

  /// D^T x Y: every column on its own, its rows in order.
  Tall transposed_times(const Tall& y) {
    Tall out(matrix_.columns, y.width);
    each([&](std::uint64_t first, std::uint64_t count, const float* d) {
      parallel_for((matrix_.columns + kColumnsAtOnce - 1) / kColumnsAtOnce, threads_, [&](std::size_t part) {
        const std::uint64_t end = std::min(matrix_.columns, (part + 1) * kColumnsAtOnce);
        for (std::uint64_t i = 0; i < count; ++i) {
          const double* from = y.row(first + i);
          for (std::uint64_t j = part * kColumnsAtOnce; j < end; ++j) {
            const double factor = d[i * matrix_.columns + j];
            double* to = out.row(j);
            for (std::uint64_t k = 0; k < y.width; ++k) to[k] += factor * from[k];
          }
        }
      });
    });
    return out;
  }

  double energy() {
    double sum = 0;
    each([&](std::uint64_t, std::uint64_t count, const float* d) {
      for (std::uint64_t i = 0; i < count * matrix_.columns; ++i) sum += static_cast<double>(d[i]) * d[i];
    });
    return sum;
  }

 private:
  const RowMatrix& matrix_;
  const unsigned threads_;
  const std::uint64_t rows_;
  std::vector<float> block_;
};

double dot(const Tall& m, std::uint64_t p, std::uint64_t q) {
  double sum = 0;
  for (std::uint64_t i = 0; i < m.count; ++i) sum += m.row(i)[p] * m.row(i)[q];
  return sum;
}

/// Gram-Schmidt, each column twice. A column that the others span becomes 0.
void orthonormalise(Tall& m) {
  for (std::uint64_t k = 0; k < m.width; ++k) {
    const double before = std::sqrt(dot(m, k, k));
    for (int pass = 0; pass < 2; ++pass) {
      for (std::uint64_t p = 0; p < k; ++p) {
        const double share = dot(m, p, k);
        for (std::uint64_t i = 0; i < m.count; ++i) m.row(i)[k] -= share * m.row(i)[p];
      }
    }
    const double length = std::sqrt(dot(m, k, k));
    const double scale = length > before * 1e-12 && length > 0 ? 1 / length : 0;
    for (std::uint64_t i = 0; i < m.count; ++i) m.row(i)[k] *= scale;
  }
}

/// Signs: as good as Gaussians here, and no logarithm whose bits depend on a library.
Tall random_signs(std::uint64_t rows, std::uint64_t columns) {
  Tall out(rows, columns);
  for (std::uint64_t i = 0; i < out.numbers.size(); ++i) {
    const PhiloxBlock block = philox4x32({static_cast<std::uint32_t>(i / 128), static_cast<std::uint32_t>(i / 128 >> 32), 0, 0}, kKey);
    out.numbers[i] = (block[i % 128 / 32] >> (i % 32) & 1) != 0 ? 1 : -1;
  }
  return out;
}

}  // namespace

LowRankPair truncated_svd(const RowMatrix& matrix, std::uint64_t rank, unsigned threads) {
  LowRankPair out;
  out.b.assign(matrix.rows * rank, 0.0f);
  out.a.assign(rank * matrix.columns, 0.0f);
  Blocks d(matrix, threads);
  out.energy = d.energy();
  out.finite = std::isfinite(out.energy);
  if (!out.finite || out.energy == 0) return out;

  const std::uint64_t width = std::min({rank + kOversampling, matrix.rows, matrix.columns});
  Tall q = d.times(random_signs(matrix.columns, width));
  orthonormalise(q);
  for (std::uint64_t i = 0; i < kIterations; ++i) {
    Tall z = d.transposed_times(q);
    orthonormalise(z);
    q = d.times(z);
    orthonormalise(q);
  }
  const Tall z = d.transposed_times(q);  // the transpose of Q^T D
  std::vector<double> gram(width * width);
  for (std::uint64_t p = 0; p < width; ++p) {
    for (std::uint64_t k = 0; k <= p; ++k) gram[p * width + k] = gram[k * width + p] = dot(z, p, k);
  }
  const SymmetricEigen eigen = symmetric_eigen(std::move(gram), width);
  for (std::uint64_t k = 0; k < std::min(rank, width); ++k) {
    if (eigen.values[k] <= eigen.values[0] * 1e-24) break;
    out.kept += eigen.values[k];
    const double root = std::sqrt(std::sqrt(eigen.values[k]));  // of the singular value
    const auto combine = [&](const Tall& m, std::uint64_t i) {
      double sum = 0;
      for (std::uint64_t p = 0; p < width; ++p) sum += m.row(i)[p] * eigen.vectors[p * width + k];
      return sum;
    };
    for (std::uint64_t i = 0; i < matrix.rows; ++i) out.b[i * rank + k] = static_cast<float>(combine(q, i) * root);
    for (std::uint64_t j = 0; j < matrix.columns; ++j) out.a[k * matrix.columns + j] = static_cast<float>(combine(z, j) / root);
  }
  out.kept = std::min(out.kept, out.energy);
  return out;
}

}  // namespace dstore
