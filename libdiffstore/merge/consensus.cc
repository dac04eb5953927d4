// Consensus task arithmetic (Wang et al. 2024, "Localizing task information"; spec/merging.md, "consensus").
#include <cmath>

#include "merge/make_merge.h"

namespace dstore {
namespace {

/// The sum of the differences where enough models find it important to them.
template <class A>
class Consensus : public TensorMerge {
 public:
  explicit Consensus(const MergeSettings& settings)
      : lambda_(A::widen(settings.number("lambda"))), mask_lambda_(settings.number("mask_lambda")), agree_(settings.number("agree")) {
    for (std::size_t i = 0; i < settings.models(); ++i) weights_.push_back(A::round(settings.number("weight", i)));
  }
  bool only_changes() const override { return true; }
  void apply(const MergeWindow& window, std::span<double> out) const override {
    std::vector<double> column(weights_.size());
    for (std::size_t j = 0; j < out.size(); ++j) {
      double sum = 0;
      for (std::size_t i = 0; i < column.size(); ++i) {
        column[i] = A::round(difference<A>(window.models[i][j], window.base[j]) * weights_[i]);
        sum = A::widen(sum + column[i]);
      }
      sum = A::round(sum);
      double votes = 0;
      for (const double value : column) votes += std::fabs(value) >= mask_lambda_ * std::fabs(sum - value);
      out[j] = votes < agree_ || sum == 0 ? window.base[j] : A::round(window.base[j] + A::round(sum * lambda_));
    }
  }

 private:
  double lambda_, mask_lambda_, agree_;
  std::vector<double> weights_;
};

using Default = std::pair<std::string_view, std::string_view>;
constexpr Default kConsensus[] = {{"weight", "1"}, {"lambda", "1"}, {"mask_lambda", "0.4"}, {"agree", "2"}};

}  // namespace

constinit const MergeMethod kConsensusMerge = {"consensus", "the sum of the differences where enough models count on it (Wang et al. 2024)", 1, SIZE_MAX, kConsensus,
                                               make_merge<Consensus>};

}  // namespace dstore
