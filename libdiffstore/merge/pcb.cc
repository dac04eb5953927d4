// Parameter competition balancing (Du et al. 2024; spec/merging.md, "pcb"): the differences of the whole model are one vector.
#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>

#include "merge/exponential.h"
#include "merge/merge_method.h"
#include "merge/order_statistic.h"
#include "merge/rounding.h"

namespace dstore {
namespace {

/// What an element's scores need of the whole model, for each model.
struct Scale {
  double least = 0, most = 0;                     ///< of |t|, clamped
  double least_score = 0, most_score = 0;
};

template <class A>
class PcbTensor : public TensorMerge {
 public:
  PcbTensor(const std::vector<Scale>& scales, double factor) : scales_(scales), lambda_(factor) {}
  bool only_changes() const override { return true; }
  void apply(const MergeWindow& window, std::span<double> out) const override {
    std::vector<double> differences(scales_.size());
    for (std::size_t j = 0; j < out.size(); ++j) {
      const double total = subtract(window, j, differences);
      double sum = 0, divisor = 0;
      for (std::size_t i = 0; i < scales_.size(); ++i) {
        const Scale& scale = scales_[i];
        const double range = scale.most_score - scale.least_score;
        const double share = range > 0 ? (std::max(score(differences, total, i, scales_), scale.least_score) - scale.least_score) / range : 0;
        const double size = std::clamp(std::fabs(differences[i]), scale.least, scale.most);
        sum += (differences[i] > 0 ? size : differences[i] < 0 ? -size : 0) * share;
        divisor += share;
      }
      const double change = A::widen(lambda_ * (sum / std::max(divisor, 1e-12)));
      out[j] = change == 0 ? window.base[j] : A::round(window.base[j] + A::round(change));
    }
  }
  /// The differences of one element; their sum.
  static double subtract(const MergeWindow& window, std::size_t j, std::vector<double>& differences) {
    double total = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      differences[i] = difference<A>(window.models[i][j], window.base[j]);
      total += differences[i];
    }
    return total;
  }
  static double score(const std::vector<double>& differences, double total, std::size_t i, const std::vector<Scale>& scales) {
    const double range = scales[i].most - scales[i].least;
    const double place = range > 0 ? (std::clamp(std::fabs(differences[i]), scales[i].least, scales[i].most) - scales[i].least) / range : 0;
    return exponential(static_cast<double>(scales.size()) * (place * place)) * hyperbolic_tangent(differences[i] * total);
  }

 private:
  const std::vector<Scale>& scales_;
  double lambda_;
};

/// Unsigned numbers in the order of the doubles; -0 as 0.
std::uint64_t ordered_key(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value + 0.0);
  return bits >> 63 != 0 ? ~bits : bits | std::uint64_t{1} << 63;
}
double from_ordered_key(std::uint64_t key) { return std::bit_cast<double>(key >> 63 != 0 ? key & ~(std::uint64_t{1} << 63) : ~key); }

class Pcb : public ModelMerge {
 public:
  Pcb(const MergeSettings& settings, std::span<const MergedTensor> tensors) : tensors_(tensors), scales_(settings.models()), ratio_(settings.number("ratio")) {
    for (const MergedTensor& tensor : tensors) elements_ += tensor.elements;
    for (std::size_t i = 0; i < scales_.size() && elements_ > 0; ++i) {
      small_.emplace_back(64u, elements_ - place(kClamped));
      large_.emplace_back(64u, elements_ - (std::max<std::uint64_t>(1, place(1 - kClamped)) - 1));
      score_.emplace_back(64u, elements_ - std::min(elements_ - 1, place(1 - ratio_)));
      most_.push_back(ordered_key(0));
    }
  }
  bool wants_pass() const override { return elements_ > 0 && !score_.front().done(); }
  void look(std::size_t tensor, const MergeWindow& window) override {
    with_arithmetic(tensors_[tensor].dtype, [&]<class A>(A) {
      const std::scoped_lock lock(mutex_);
      std::vector<double> differences(scales_.size());
      for (std::size_t j = 0; j < window.size(); ++j) {
        const double total = PcbTensor<A>::subtract(window, j, differences);
        for (std::size_t i = 0; i < scales_.size(); ++i) {
          if (clamped_) {
            const std::uint64_t key = ordered_key(PcbTensor<A>::score(differences, total, i, scales_));
            score_[i].count(key);
            most_[i] = std::max(most_[i], key);
          } else {
            const std::uint64_t key = std::bit_cast<std::uint64_t>(std::fabs(differences[i]));
            small_[i].count(key);
            large_[i].count(key);
          }
        }
      }
      seen_ += window.size();
    });
  }
  void end_pass() override {
    const std::uint64_t unseen = elements_ - seen_;  // without a difference, and so without a score
    seen_ = 0;
    for (std::size_t i = 0; i < scales_.size(); ++i) {
      for (OrderStatistic* statistic : {&small_[i], &large_[i]}) {
        if (clamped_) break;
        statistic->count(0, unseen);
        statistic->end_pass();
      }
      if (!clamped_) continue;
      score_[i].count(ordered_key(0), unseen);
      score_[i].end_pass();
    }
    if (clamped_) {
      for (std::size_t i = 0; i < scales_.size(); ++i) {
        scales_[i].least_score = from_ordered_key(score_[i].key());
        scales_[i].most_score = from_ordered_key(most_[i]);
      }
    } else if (small_.front().done()) {
      for (std::size_t i = 0; i < scales_.size(); ++i) {
        scales_[i].least = std::bit_cast<double>(small_[i].key());
        scales_[i].most = std::max(scales_[i].least, std::bit_cast<double>(large_[i].key()));
      }
      clamped_ = true;
    }
  }
  std::unique_ptr<TensorMerge> make(const MergeSettings& settings, std::size_t tensor) const override {
    return with_arithmetic(tensors_[tensor].dtype, [&]<class A>(A) -> std::unique_ptr<TensorMerge> {
      return std::make_unique<PcbTensor<A>>(scales_, settings.number("lambda"));
    });
  }

 private:
  static constexpr double kClamped = 1e-4;  ///< share of the magnitudes at either end
  std::uint64_t place(double share) const { return static_cast<std::uint64_t>(static_cast<double>(elements_) * share); }

  std::span<const MergedTensor> tensors_;
  std::vector<Scale> scales_;
  double ratio_;
  std::uint64_t elements_ = 0, seen_ = 0;
  bool clamped_ = false;
  std::vector<OrderStatistic> small_, large_, score_;
  std::vector<std::uint64_t> most_;
  std::mutex mutex_;
};

using Default = std::pair<std::string_view, std::string_view>;
constexpr Default kPcb[] = {{"lambda", "1"}, {"ratio", "0.1"}};

}  // namespace

constinit const MergeMethod kPcbMerge = {"pcb", "differences balanced by their size and agreement over the whole model (Du et al. 2024)", 1, SIZE_MAX, kPcb, nullptr,
                                         [](const MergeSettings& settings, std::span<const MergedTensor> tensors) -> std::unique_ptr<ModelMerge> {
                                           return std::make_unique<Pcb>(settings, tensors);
                                         }};

}  // namespace dstore
