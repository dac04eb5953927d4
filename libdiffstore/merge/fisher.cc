// Fisher-weighted averaging (Matena and Raffel 2022; spec/merging.md, "fisher").
#include <algorithm>
#include <cmath>

#include "base/bytes.h"
#include "base/parallel.h"
#include "delta/element.h"
#include "delta/stats.h"
#include "dstore/error.h"
#include "merge/merge_method.h"
#include "merge/rounding.h"
#include "merge/statistics.h"

namespace dstore {
namespace {

constexpr double kLeastFisher = 1e-6;
constexpr std::size_t kBlock = 1 << 16;

template <class A>
class FisherTensor : public TensorMerge {
 public:
  FisherTensor(const MergedTensor& tensor, std::vector<double> factors) : tensor_(tensor), factors_(std::move(factors)) {}
  void apply(const MergeWindow& window, std::span<double> out) const override {
    std::vector<double> sum(out.size()), divisor(out.size()), fisher(out.size());
    for (std::size_t i = 0; i < factors_.size(); ++i) {
      read_statistic(tensor_.statistics[i], window.first, fisher);
      for (std::size_t j = 0; j < out.size(); ++j) {
        const double weight = factors_[i] * (fisher[j] + kLeastFisher);
        sum[j] += weight * window.models[i][j];
        divisor[j] += weight;
      }
    }
    for (std::size_t j = 0; j < out.size(); ++j) out[j] = A::round(A::widen(sum[j] / divisor[j]));
  }

 private:
  const MergedTensor& tensor_;
  std::vector<double> factors_;
};

/// The sum of squares of a statistic, in the order of its numbers. Error{invalid_argument} for a negative one.
double checked_squares(const TensorStatistic& statistic, std::uint64_t elements) {
  std::vector<double> block;
  double sum = 0;
  for (std::uint64_t at = 0; at < elements; at += kBlock) {
    block.resize(std::min<std::uint64_t>(kBlock, elements - at));
    read_statistic(statistic, at, block);
    for (const double value : block) {
      if (value < 0) {
        throw Error(ErrorCode::invalid_argument, "statistics: tensor " + printable(statistic.source->tensors()[statistic.tensor].name) +
                                                     " has negative numbers, which are no Fisher information");
      }
      sum += value * value;
    }
  }
  return sum;
}

class Fisher : public ModelMerge {
 public:
  Fisher(const MergeSettings& settings, std::span<const MergedTensor> tensors) : tensors_(tensors), norms_(settings.models(), 1) {
    std::vector<std::vector<double>> squares(tensors.size(), std::vector<double>(norms_.size()));
    parallel_for(tensors.size(), 0, [&](std::size_t t) {
      for (std::size_t i = 0; i < norms_.size(); ++i) {
        if (check_place(tensors[t], i)) squares[t][i] = checked_squares(tensors[t].statistics[i], tensors[t].elements);
      }
    });
    if (!settings.flag("normalize_fisher")) return;
    double total = 0;
    for (std::size_t i = 0; i < norms_.size(); ++i) {
      double sum = 0;
      for (const auto& row : squares) sum += row[i];
      norms_[i] = 1 / (std::sqrt(sum) + kLeastFisher);
      total += norms_[i];
    }
    for (double& norm : norms_) norm /= total;
  }
  std::unique_ptr<TensorMerge> make(const MergeSettings& settings, std::size_t index) const override {
    const MergedTensor& tensor = tensors_[index];
    std::vector<double> factors = positive_weights(settings, "fisher");
    for (std::size_t i = 0; i < factors.size(); ++i) {
      if (tensor.statistics[i].source == nullptr) {
        throw Error(ErrorCode::invalid_argument, "statistics of " + model_text(i) + " lack tensor " + printable(tensor.name) + ", which is merged");
      }
      factors[i] *= norms_[i];
    }
    return with_arithmetic(tensor.dtype, [&]<class A>(A) -> std::unique_ptr<TensorMerge> { return std::make_unique<FisherTensor<A>>(tensor, std::move(factors)); });
  }

 private:
  /// Whether the model has F of the tensor. Error{invalid_argument} where it has another number of elements.
  static bool check_place(const MergedTensor& tensor, std::size_t model) {
    const TensorStatistic& statistic = tensor.statistics[model];
    if (statistic.source == nullptr) return false;
    const TensorInfo& info = statistic.source->tensors()[statistic.tensor];
    if (is_numeric(info.dtype) && unit_count(info.dtype, info.bytes) == tensor.elements) return true;
    throw Error(ErrorCode::invalid_argument, "statistics of " + model_text(model) + ": tensor " + printable(info.name) +
                                                 " is not one floating-point number for each of the " + std::to_string(tensor.elements) + " elements");
  }

  std::span<const MergedTensor> tensors_;
  std::vector<double> norms_;  ///< what each model's weight is multiplied by
};

using Default = std::pair<std::string_view, std::string_view>;
constexpr Default kFisher[] = {{"weight", "1"}, {"normalize_fisher", "true"}};

}  // namespace

constinit const MergeMethod kFisherMerge = {"fisher", "average by Fisher information, of --statistics files (Matena and Raffel 2022)", 1, SIZE_MAX, kFisher, nullptr,
                                            [](const MergeSettings& settings, std::span<const MergedTensor> tensors) -> std::unique_ptr<ModelMerge> {
                                              return std::make_unique<Fisher>(settings, tensors);
                                            },
                                            "fisher"};

}  // namespace dstore
