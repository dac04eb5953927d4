// Methods that weigh an element by which models change it: RAM and SCE (spec/merging.md).
#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "merge/make_merge.h"
#include "merge/trim.h"

namespace dstore {
namespace {

template <class A>
void subtract(const MergeWindow& window, std::size_t j, std::vector<double>& column) {
  for (std::size_t i = 0; i < column.size(); ++i) column[i] = difference<A>(window.models[i][j], window.base[j]);
}

/// Reinforced agent merging: a difference that one model has is added, one that several have is averaged.
template <class A, bool kPlus>
class Ram : public TensorMerge {
 public:
  explicit Ram(const MergeSettings& settings) : epsilon_(settings.number("epsilon")), factors_(settings.models(), 1), shared_(settings.models()), own_(settings.models()) {
    if (kPlus) r_ = settings.number("r"), alpha_ = settings.number("alpha");
  }
  bool only_changes() const override { return true; }
  bool wants_pass() const override { return kPlus && !ready_; }
  void look(const MergeWindow& window) override {
    std::vector<double> column(factors_.size());
    for (std::size_t j = 0; j < window.size(); ++j) {
      subtract<A>(window, j, column);
      const std::size_t count = active(column);
      for (std::size_t i = 0; i < column.size(); ++i) {
        if (std::fabs(column[i]) > epsilon_) ++(count > 1 ? shared_ : own_)[i];
      }
    }
  }
  void end_pass() override {
    for (std::size_t i = 0; i < factors_.size(); ++i) {
      const double share = static_cast<double>(shared_[i]) / std::max(static_cast<double>(own_[i]), epsilon_);
      factors_[i] = A::widen(1 + r_ * std::min(share, alpha_));
    }
    ready_ = true;
  }
  void apply(const MergeWindow& window, std::span<double> out) const override {
    std::vector<double> column(factors_.size());
    for (std::size_t j = 0; j < out.size(); ++j) {
      subtract<A>(window, j, column);
      const auto count = static_cast<double>(active(column));
      double sum = 0;
      for (std::size_t i = 0; i < column.size(); ++i) {
        if (std::fabs(column[i]) <= epsilon_) continue;
        sum = A::widen(sum + (count > 1 ? A::round(column[i] / count) : A::widen(column[i] * factors_[i])));
      }
      out[j] = A::round(A::widen(window.base[j] + (kPlus ? sum : A::round(sum))));
    }
  }

 private:
  std::size_t active(std::span<const double> column) const {
    return static_cast<std::size_t>(std::count_if(column.begin(), column.end(), [&](double value) { return std::fabs(value) > epsilon_; }));
  }
  double epsilon_, r_ = 0, alpha_ = 0;
  std::vector<double> factors_;
  std::vector<std::uint64_t> shared_, own_;
  bool ready_ = false;
};

/// Select, calculate, erase: elements by variance, models by their mean squared difference, signs by election.
template <class A>
class Sce : public TensorMerge {
 public:
  explicit Sce(const MergeSettings& settings) : share_(settings.number("select_topk")), weights_(settings.models()) {
    stage_ = share_ < 1 ? Stage::count : Stage::weigh;
  }
  bool only_changes() const override { return true; }
  bool wants_pass() const override { return stage_ != Stage::done; }
  void look(const MergeWindow& window) override {
    std::vector<double> column(weights_.size());
    for (std::size_t j = 0; j < window.size(); ++j) {
      subtract<A>(window, j, column);
      if (stage_ == Stage::count) {
        differing_ += variance(column) != 0;
      } else if (stage_ == Stage::select) {
        selection_->look(window.elements()[j], key(column));
      } else if (selected(window.elements()[j], column)) {
        for (std::size_t i = 0; i < column.size(); ++i) weights_[i] += column[i] * column[i];
      }
    }
  }
  void end_pass() override {
    if (stage_ == Stage::count) {
      selection_.emplace(64u, static_cast<std::uint64_t>(std::floor(static_cast<double>(differing_) * share_)));
      stage_ = selection_->wants_pass() ? Stage::select : Stage::weigh;
    } else if (stage_ == Stage::select) {
      selection_->end_pass();
      if (!selection_->wants_pass()) stage_ = Stage::weigh;
    } else {
      double sum = 0;
      for (const double weight : weights_) sum += weight;
      for (double& weight : weights_) weight = sum > 0 ? weight / sum : 1 / static_cast<double>(weights_.size());
      stage_ = Stage::done;
    }
  }
  void apply(const MergeWindow& window, std::span<double> out) const override {
    std::vector<double> column(weights_.size());
    for (std::size_t j = 0; j < out.size(); ++j) {
      subtract<A>(window, j, column);
      out[j] = window.base[j];
      if (!selected(window.elements()[j], column)) continue;
      double votes = 0;
      for (const double value : column) votes = A::widen(votes + value);
      double sum = 0, divisor = 0;
      for (std::size_t i = 0; i < column.size(); ++i) {
        if (votes >= 0 ? column[i] <= 0 : column[i] >= 0) continue;
        sum += column[i] * weights_[i];
        divisor += weights_[i];
      }
      out[j] = A::round(window.base[j] + A::round(sum / std::max(divisor, kLeastDivisor)));
    }
  }

 private:
  enum class Stage { count, select, weigh, done };
  static constexpr double kLeastDivisor = 1e-6;

  static double variance(std::span<const double> column) {
    const auto count = static_cast<double>(column.size());
    double mean = 0, sum = 0;
    for (const double value : column) mean += value / count;
    for (const double value : column) sum += (value - mean) * (value - mean) / count;
    return sum;
  }
  static std::uint64_t key(std::span<const double> column) { return std::bit_cast<std::uint64_t>(variance(column)); }
  bool selected(std::uint64_t element, std::span<const double> column) const { return !selection_ || selection_->has(element, key(column)); }

  double share_;
  std::vector<double> weights_;
  std::uint64_t differing_ = 0;
  std::optional<TopSelection> selection_;
  Stage stage_;
};

template <class A>
using PlainRam = Ram<A, false>;
template <class A>
using PlusRam = Ram<A, true>;

using Default = std::pair<std::string_view, std::string_view>;
constexpr Default kRam[] = {{"epsilon", "1e-5"}};
constexpr Default kRamPlus[] = {{"epsilon", "1e-5"}, {"r", "0.1"}, {"alpha", "0.2"}};
constexpr Default kSce[] = {{"select_topk", "1"}};

}  // namespace

constinit const MergeMethod kRamMerge = {"ram", "differences of one model added, shared ones averaged (reinforced agent merging)", 1, SIZE_MAX, kRam, make_merge<PlainRam>};
constinit const MergeMethod kRamPlusMerge = {"ramplus_tl", "the same, unshared differences grown by the overlap", 1, SIZE_MAX, kRamPlus, make_merge<PlusRam>};
constinit const MergeMethod kSceMerge = {"sce", "elements by variance, models by energy, signs elected (Wan et al. 2024)", 1, SIZE_MAX, kSce, make_merge<Sce>};

}  // namespace dstore
