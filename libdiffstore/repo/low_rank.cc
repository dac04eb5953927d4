#include "repo/low_rank.h"

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <vector>

#include "dstore/error.h"
#include "repo/low_rank_kernel.h"
#include "tensor/dtype.h"
#include "tensor/float_convert.h"

namespace dstore {
namespace {

constexpr std::uint64_t kMaxRank = 4096;
constexpr std::uint64_t kPartElements = 1 << 20;  ///< of the tensor, of B and of A, that are in memory at once

/// Rounds to nearest and keeps subnormals, whatever the program around us asked for.
class DefaultFloatEnvironment {
 public:
  DefaultFloatEnvironment() {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatEnvironment() { std::fesetenv(&before_); }
  DefaultFloatEnvironment(const DefaultFloatEnvironment&) = delete;
  DefaultFloatEnvironment& operator=(const DefaultFloatEnvironment&) = delete;

 private:
  std::fenv_t before_;
};

bool is_factor_dtype(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

std::uint64_t columns_of(const TensorInfo& tensor) {
  std::uint64_t columns = 1;
  for (std::size_t i = 1; i < tensor.shape.size(); ++i) columns *= tensor.shape[i];
  return columns;
}

void to_floats(DType dtype, ByteSpan bytes, std::vector<float>& out) {
  out.resize(bytes.size() / dtype_info(dtype).bytes());
  convert_floats(dtype, bytes, DType::f32, std::as_writable_bytes(std::span(out)));
}

/// Elements [first, first + count) of a factor.
void read_floats(const TensorSource& source, std::size_t index, std::uint64_t first, std::uint64_t count, Bytes& scratch,
                 std::vector<float>& out) {
  const DType dtype = source.tensors()[index].dtype;
  const std::uint64_t unit = dtype_info(dtype).bytes();
  scratch.resize(count * unit);
  source.read(index, first * unit, scratch);
  to_floats(dtype, scratch, out);
}

/// Rows [row, row + rows), columns [column, column + width) of the tensor.
struct Part {
  std::uint64_t row, rows, column, width;
};

class Adder {
 public:
  Adder(const TensorInfo& tensor, const LowRankFactors& factors)
      : tensor_(tensor), factors_(factors), columns_(columns_of(tensor)), rank_(factors.rank()) {}

  /// The largest part that starts at element `first` and has at most `left` elements.
  Part next(std::uint64_t first, std::uint64_t left) const {
    const std::uint64_t row = first / columns_, column = first % columns_;
    const std::uint64_t most = std::min(left, kPartElements);
    if (column != 0 || most < columns_) return {row, 1, column, std::min(most, columns_ - column)};
    return {row, std::max<std::uint64_t>(1, std::min(most / columns_, kPartElements / rank_)), 0, columns_};
  }

  void add(const Part& part, MutableByteSpan bytes) {
    sum_.assign(part.rows * part.width, 0.0f);
    read_floats(*factors_.source, factors_.b, part.row * rank_, part.rows * rank_, scratch_, b_);
    const std::uint64_t step = std::max<std::uint64_t>(1, kPartElements / part.width);
    for (std::uint64_t k = 0; k < rank_; k += step) {
      const std::uint64_t count = std::min(step, rank_ - k);
      read_a(part, k, count);
      add_products(sum_.data(), part.rows, part.width, b_.data() + k, rank_, a_.data(), count);
    }
    to_floats(tensor_.dtype, bytes, base_);
    if (!add_scaled(base_.data(), sum_.data(), factors_.scale, sum_.size())) {
      const std::string advice = factors_.fault == ErrorCode::invalid_argument ? "; store the tensor without factors" : "";
      throw Error(factors_.fault, "tensor " + printable(tensor_.name) + ": its low-rank change gives a NaN near row " + std::to_string(part.row) + advice);
    }
    convert_floats(DType::f32, std::as_bytes(std::span(base_)), tensor_.dtype, bytes);
  }

 private:
  void read_a(const Part& part, std::uint64_t k, std::uint64_t count) {
    if (part.width == columns_) return read_floats(*factors_.source, factors_.a, k * columns_, count * columns_, scratch_, a_);
    std::vector<float> row;
    a_.clear();
    for (std::uint64_t i = 0; i < count; ++i) {
      read_floats(*factors_.source, factors_.a, (k + i) * columns_ + part.column, part.width, scratch_, row);
      a_.insert(a_.end(), row.begin(), row.end());
    }
  }

  const TensorInfo& tensor_;
  const LowRankFactors& factors_;
  const std::uint64_t columns_, rank_;
  Bytes scratch_;
  std::vector<float> sum_, base_, b_, a_;
};

}  // namespace

std::optional<std::string> low_rank_problem(const TensorInfo& tensor, const TensorInfo& b, const TensorInfo& a, float scale) {
  if (!is_factor_dtype(tensor.dtype) || !is_factor_dtype(b.dtype) || !is_factor_dtype(a.dtype)) return "low-rank factors need F32, F16 or BF16";
  if (tensor.shape.size() < 2 || tensor.bytes == 0) return "low-rank factors need a matrix";
  if (b.shape.size() != 2 || a.shape.size() != 2 || b.shape[0] != tensor.shape[0] || a.shape[1] != columns_of(tensor) || b.shape[1] != a.shape[0]) {
    return "the shapes of the low-rank factors do not fit";
  }
  if (a.shape[0] == 0 || a.shape[0] > kMaxRank) return "the rank is not 1 to " + std::to_string(kMaxRank);
  if (!std::isfinite(scale)) return "the scale is not finite";
  return std::nullopt;
}

void add_low_rank(const TensorInfo& tensor, const LowRankFactors& factors, std::uint64_t offset, MutableByteSpan bytes) {
  const DefaultFloatEnvironment environment;
  const std::uint64_t unit = dtype_info(tensor.dtype).bytes();
  Adder adder(tensor, factors);
  for (std::uint64_t at = 0, count = bytes.size() / unit; at < count;) {
    const Part part = adder.next(offset / unit + at, count - at);
    adder.add(part, bytes.subspan(at * unit, part.rows * part.width * unit));
    at += part.rows * part.width;
  }
}

}  // namespace dstore
