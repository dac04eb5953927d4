// RegMean (Jin et al. 2023; spec/merging.md, "regmean"): the matrix nearest to what the models make of their own inputs.
#include <algorithm>
#include <cmath>

#include "base/bytes.h"
#include "base/decimal.h"
#include "delta/element.h"
#include "delta/stats.h"
#include "dstore/error.h"
#include "merge/cholesky.h"
#include "merge/merge_method.h"
#include "merge/rounding.h"
#include "merge/statistics.h"

namespace dstore {
namespace {

/// A tensor without Gram matrices: the weighted mean.
template <class A>
class WeightedMean : public TensorMerge {
 public:
  explicit WeightedMean(std::vector<double> weights) : weights_(std::move(weights)) {}
  void apply(const MergeWindow& window, std::span<double> out) const override {
    double divisor = 0;
    for (const double weight : weights_) divisor += weight;
    for (std::size_t j = 0; j < out.size(); ++j) {
      double sum = 0;
      for (std::size_t i = 0; i < weights_.size(); ++i) sum += weights_[i] * window.models[i][j];
      out[j] = A::round(A::widen(sum / divisor));
    }
  }

 private:
  std::vector<double> weights_;
};

/// W of [outputs, inputs] from G of [inputs, inputs] of every model. It keeps the result until it is destroyed, in the tensor's dtype, and
/// during the pass the sum of the G and the right-hand sides in double.
template <class A>
class RegMean : public TensorMerge {
 public:
  RegMean(const MergedTensor& tensor, std::vector<double> weights, double off_diagonal)
      : tensor_(tensor), inputs_(static_cast<std::size_t>(tensor.row())), weights_(std::move(weights)), off_diagonal_(off_diagonal) {}
  bool wants_pass() const override { return merged_.empty() && tensor_.elements > 0; }
  std::uint64_t row() const override { return inputs_; }
  void look(const MergeWindow& window) override {
    right_.resize(tensor_.elements);
    std::vector<double> gram(inputs_);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      for (std::size_t c = 0; c < inputs_; ++c) {
        read_row(i, c, gram);
        for (std::size_t j = c; j < window.size(); j += inputs_) {
          const double value = window.models[i][j];
          double* to = right_.data() + window.first + (j - c);
          for (std::size_t k = 0; k < inputs_; ++k) to[k] += value * gram[k];
        }
      }
    }
  }
  void end_pass() override {
    std::vector<double> sum(inputs_ * inputs_), gram(inputs_);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      for (std::size_t c = 0; c < inputs_; ++c) {
        read_row(i, c, gram);
        for (std::size_t k = c; k < inputs_; ++k) sum[c * inputs_ + k] += gram[k];
      }
    }
    const Cholesky cholesky(std::move(sum), inputs_);
    jitter_ = cholesky.jitter();
    for (std::size_t at = 0; at < right_.size(); at += inputs_) cholesky.solve(std::span(right_).subspan(at, inputs_));
    for (double& value : right_) value = A::round(A::widen(value));
    merged_.resize(right_.size() * kUnit);
    write_doubles(A::type, right_, merged_);
    right_ = {};
  }
  std::string note() const override {
    if (jitter_ == 0) return "";
    return printable(tensor_.name) + ": the sum of the Gram matrices is singular; " + shortest_decimal(jitter_) + " of the mean of its diagonal was added to it";
  }
  void apply(const MergeWindow& window, std::span<double> out) const override {
    read_doubles(A::type, ByteSpan(merged_).subspan(window.first * kUnit, out.size() * kUnit), out);
  }

 private:
  static constexpr std::size_t kUnit = A::type == DType::f64 ? 8 : A::type == DType::f32 ? 4 : 2;

  /// Row c of a model's G, weighted, what is beside the diagonal scaled.
  void read_row(std::size_t model, std::size_t c, std::vector<double>& out) const {
    read_statistic(tensor_.statistics[model], c * inputs_, out);
    for (std::size_t k = 0; k < inputs_; ++k) out[k] *= k == c ? weights_[model] : weights_[model] * off_diagonal_;
  }

  const MergedTensor& tensor_;
  std::size_t inputs_;
  std::vector<double> weights_;
  double off_diagonal_, jitter_ = 0;
  std::vector<double> right_;  ///< during the pass
  Bytes merged_;
};

/// Whether the tensor has Gram matrices. Error{invalid_argument}: only some models have one, or of another size, or a diagonal below 0.
bool has_grams(const MergedTensor& tensor) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < tensor.statistics.size(); ++i) {
    const TensorStatistic& statistic = tensor.statistics[i];
    if (statistic.source == nullptr) continue;
    ++found;
    const TensorInfo& info = statistic.source->tensors()[statistic.tensor];
    const std::uint64_t inputs = tensor.row();
    if (tensor.shape.size() != 2 || info.shape != std::vector<std::uint64_t>{inputs, inputs} || !is_numeric(info.dtype)) {
      throw Error(ErrorCode::invalid_argument, "statistics of " + model_text(i) + ": tensor " + printable(info.name) + " is no Gram matrix of the " +
                                                   std::to_string(inputs) + " inputs of a linear layer");
    }
    for (std::uint64_t c = 0; c < inputs; ++c) {
      double value = 0;
      read_statistic(statistic, c * inputs + c, {&value, 1});
      if (value >= 0) continue;
      throw Error(ErrorCode::invalid_argument, "statistics of " + model_text(i) + ": tensor " + printable(info.name) +
                                                   " has a negative diagonal, so it is no Gram matrix");
    }
  }
  if (found == 0 || found == tensor.statistics.size()) return found > 0;
  throw Error(ErrorCode::invalid_argument, "statistics: some models have a Gram matrix of tensor " + printable(tensor.name) + " and others do not");
}

std::unique_ptr<TensorMerge> make(const MergeSettings& settings, const MergedTensor& tensor) {
  std::vector<double> weights = positive_weights(settings, "regmean");
  const bool grams = has_grams(tensor);
  return with_arithmetic(tensor.dtype, [&]<class A>(A) -> std::unique_ptr<TensorMerge> {
    if (!grams) return std::make_unique<WeightedMean<A>>(std::move(weights));
    return std::make_unique<RegMean<A>>(tensor, std::move(weights), settings.number("off_diagonal"));
  });
}

using Default = std::pair<std::string_view, std::string_view>;
constexpr Default kRegMean[] = {{"weight", "1"}, {"off_diagonal", "1"}};

}  // namespace

constinit const MergeMethod kRegMeanMerge = {"regmean", "linear layers by the Gram matrices of their inputs, of --statistics files (Jin et al. 2023)", 1, SIZE_MAX,
                                             kRegMean, make, nullptr, "gram"};

}  // namespace dstore
