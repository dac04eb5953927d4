// Methods that add up the models' differences from the base: task arithmetic, TIES, DARE, Breadcrumbs (spec/merging.md).
#include <cmath>

#include "merge/task_vectors.h"

namespace dstore {
namespace {

/// The rows of this file differ in which differences are kept, and whether the sign of each element is elected.
struct Rules {
  Keep keep;
  bool elect;
};

/// What decides the sign of an element.
enum class Election { weighted, count };

constexpr double kLeastNorm = 1e-7;      ///< differences with a smaller L1 norm are not rescaled
constexpr double kLeastDivisor = 1e-8;

template <class A>
class TaskVectors : public TensorMerge {
 public:
  TaskVectors(const Rules& rules, const MergeSettings& settings, const MergedTensor& tensor)
      : elect_(rules.elect), row_(rules.keep == Keep::by_rank ? tensor.row() : 1), normalize_(settings.flag("normalize")), lambda_(A::widen(settings.number("lambda"))) {
    if (elect_) {
      const std::string_view election = settings.word("elect");
      election_ = election == "count" ? Election::count : Election::weighted;
      by_count_ = settings.word("mean") == "count";
    }
    const std::string_view rescale = settings.has("rescale") ? settings.word("rescale") : "none";
    for (std::size_t i = 0; i < settings.models(); ++i) {
      Model model;
      model.weight = A::round(settings.number("weight", i));
      model.trim = make_trim(rules.keep, settings, tensor, i);
      const double density = settings.has("density") ? settings.number("density", i) : 1;
      if (rescale == "inverse" && rules.keep != Keep::by_rank && density > 0 && density < 1) model.scale = 1 / density;
      measure_ = measure_ || (rescale == "l1" && density > 0 && density < 1);
      models_.push_back(std::move(model));
    }
    for (const Model& model : models_) weights_ = A::widen(weights_ + model.weight);
    weights_ = A::round(weights_);
  }

  std::uint64_t row() const override { return row_; }
  bool wants_pass() const override { return trimming() || (measure_ && !measured_); }

  void look(const MergeWindow& window) override {
    const bool trim = trimming();
    for (std::size_t i = 0; i < models_.size(); ++i) {
      Model& model = models_[i];
      if (trim && !model.trim->wants_pass()) continue;
      subtract(window, i, differences_);
      if (trim) {
        model.trim->look(window.first, differences_);
        continue;
      }
      for (const double value : differences_) model.norm_before += std::fabs(value);
      model.trim->apply(window.first, differences_);
      for (const double value : differences_) model.norm_after += std::fabs(value);
    }
  }

  void end_pass() override {
    const bool trim = trimming();
    for (Model& model : models_) {
      if (trim && model.trim->wants_pass()) model.trim->end_pass();
      if (!trim && model.norm_before >= kLeastNorm && model.norm_after >= kLeastNorm) model.scale = model.norm_before / model.norm_after;
    }
    if (!trim) measured_ = true;
  }

  void apply(const MergeWindow& window, std::span<double> out) const override {
    std::vector<std::vector<double>> kept(models_.size());
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const Model& model = models_[i];
      subtract(window, i, kept[i]);
      model.trim->apply(window.first, kept[i]);
      if (model.scale == 1) continue;
      const double scale = A::widen(model.scale);
      for (double& value : kept[i]) value = A::round(value * scale);
    }
    std::vector<double> column(models_.size());
    for (std::size_t j = 0; j < out.size(); ++j) {
      for (std::size_t i = 0; i < models_.size(); ++i) column[i] = kept[i][j];
      const double change = merged(column);
      out[j] = change == 0 ? window.base[j] : A::round(window.base[j] + change);
    }
  }

 private:
  struct Model {
    double weight = 1;
    double scale = 1;
    std::unique_ptr<Trim> trim;
    double norm_before = 0, norm_after = 0;  ///< L1
  };

  bool trimming() const {
    for (const Model& model : models_) {
      if (model.trim->wants_pass()) return true;
    }
    return false;
  }

  static void subtract(const MergeWindow& window, std::size_t model, std::vector<double>& out) {
    out.resize(window.size());
    const std::span<const double> values = window.models[model];
    for (std::size_t j = 0; j < out.size(); ++j) out[j] = A::round(values[j] - window.base[j]);
  }

  /// The change of one element from the differences of the models, which are overwritten by the weighted ones.
  double merged(std::span<double> column) const {
    double votes = 0;
    for (std::size_t i = 0; i < column.size(); ++i) column[i] = A::round(column[i] * models_[i].weight);
    if (!elect_) {
      double sum = 0;
      for (const double value : column) sum = A::widen(sum + value);
      return scaled(A::round(sum), std::fabs(weights_) < kLeastDivisor ? 1 : weights_);
    }
    if (election_ == Election::weighted) {
      for (const double value : column) votes = A::widen(votes + value);
    } else {
      for (const double value : column) votes += (value > 0) - (value < 0);
    }
    const bool positive = A::round(votes) >= 0;
    double sum = 0, divisor = 0;
    for (std::size_t i = 0; i < column.size(); ++i) {
      const bool wins = positive ? column[i] > 0 : column[i] < 0;
      if (!wins) continue;
      sum = A::widen(sum + column[i]);
      divisor = A::widen(divisor + (by_count_ ? 1 : models_[i].weight));
    }
    divisor = A::round(divisor);
    return scaled(A::round(sum), divisor == 0 ? 1 : divisor);
  }

  double scaled(double change, double divisor) const {
    if (normalize_) change = A::round(change / divisor);
    return lambda_ == 1 ? change : A::round(change * lambda_);
  }

  bool elect_;
  std::uint64_t row_;
  bool normalize_, by_count_ = false;
  double lambda_;
  Election election_ = Election::weighted;
  double weights_ = 0;  ///< their sum
  bool measure_ = false, measured_ = false;
  std::vector<Model> models_;
  std::vector<double> differences_;  ///< of look()
};

template <Keep kKeep, bool kElect>
std::unique_ptr<TensorMerge> make(const MergeSettings& settings, const MergedTensor& tensor) {
  if (kElect && wants_election(settings)) return make_elected(kKeep, settings, tensor);
  return with_arithmetic(tensor.dtype, [&]<class A>(A) -> std::unique_ptr<TensorMerge> {
    return std::make_unique<TaskVectors<A>>(Rules{kKeep, kElect}, settings, tensor);
  });
}

using Default = std::pair<std::string_view, std::string_view>;
constexpr Default kWeight{"weight", "1"}, kLambda{"lambda", "1"}, kElect{"elect", "weighted"}, kMean{"mean", "weights"}, kTie{"tie", "plus"};
constexpr Default kNormalized{"normalize", "true"}, kPlain{"normalize", "false"}, kAllKept{"density", "1"};
constexpr Default kNoRescale{"rescale", "none"}, kInverse{"rescale", "inverse"}, kGamma{"gamma", "0.01"}, kEpsilon{"epsilon", "0.15"};
constexpr Default kOfElements{"density_of", "elements"}, kLeast{"least", "1"};

constexpr Default kTaskArithmetic[] = {kWeight, kLambda, kPlain};
constexpr Default kTies[] = {kWeight, kAllKept, kLambda, kNormalized, kNoRescale, kElect, kMean, kTie, kOfElements, kLeast, {"trim_scope", "tensor"}};
constexpr Default kPrune[] = {kWeight, kAllKept, kLambda, kPlain, kNoRescale, kOfElements, kLeast};
constexpr Default kDareLinear[] = {kWeight, kAllKept, kLambda, kPlain, kInverse};
constexpr Default kDareTies[] = {kWeight, kAllKept, kLambda, kPlain, kInverse, kElect, kMean, kTie};
constexpr Default kDellaLinear[] = {kWeight, kAllKept, kEpsilon, kLambda, kPlain, kInverse};
constexpr Default kDella[] = {kWeight, kAllKept, kEpsilon, kLambda, kNormalized, kInverse, kElect, kMean, kTie};
constexpr Default kBreadcrumbs[] = {kWeight, kAllKept, kGamma, kLambda, kPlain, kNoRescale, kOfElements};
constexpr Default kBreadcrumbsTies[] = {kWeight, kAllKept, kGamma, kLambda, kPlain, kNoRescale, kElect, kMean, kTie, kOfElements};
constexpr std::size_t kMany = SIZE_MAX;

}  // namespace

std::unique_ptr<Trim> make_trim(Keep keep, const MergeSettings& settings, const MergedTensor& tensor, std::size_t model) {
  if (keep == Keep::all) return Trim::keep_all();
  const double density = settings.number("density", model);
  if (keep == Keep::random) return Trim::random(tensor, density, settings.seed(), model);
  if (keep == Keep::by_rank) return Trim::by_rank(tensor, {density, settings.number("epsilon", model), settings.word("rescale") == "inverse"}, settings.seed(), model);
  const double gamma = keep == Keep::without_outliers ? settings.number("gamma", model) : 0;
  const bool least = keep == Keep::largest && settings.number("least") > 0;
  const auto make = [=](const MergedTensor& of) -> std::unique_ptr<Trim> {
    if (keep == Keep::without_outliers) return Trim::without_outliers(of, density, gamma);
    return Trim::largest(of, least || density * static_cast<double>(of.elements) >= 1 ? density : 0);
  };
  return settings.word("density_of") == "nnz" ? Trim::of_changed(tensor, make) : make(tensor);
}

constinit const MergeMethod kTaskArithmeticMerge = {"task_arithmetic", "the base and the sum of the weighted differences (Ilharco et al. 2023)", 1, kMany,
                                                    kTaskArithmetic, make<Keep::all, false>};
constinit const MergeMethod kTiesMerge = {"ties", "largest differences, sign elected per element, mean of those that agree (Yadav et al. 2023)", 1, kMany, kTies,
                                          make<Keep::largest, true>, make_model_ties};
constinit const MergeMethod kMagnitudePruneMerge = {"magnitude_prune", "largest differences, added up", 1, kMany, kPrune, make<Keep::largest, false>};
constinit const MergeMethod kDareLinearMerge = {"dare_linear", "differences dropped at random, the others rescaled, added up (Yu et al. 2024)", 1, kMany,
                                                kDareLinear, make<Keep::random, false>};
constinit const MergeMethod kDareTiesMerge = {"dare_ties", "the same with elected signs", 1, kMany, kDareTies, make<Keep::random, true>};
constinit const MergeMethod kDellaLinearMerge = {"della_linear", "dropped at random, the smaller of a row the more likely, rescaled, added up (Deep et al. 2024)", 1, kMany,
                                                 kDellaLinear, make<Keep::by_rank, false>};
constinit const MergeMethod kDellaMerge = {"della", "the same with elected signs", 1, kMany, kDella, make<Keep::by_rank, true>};
constinit const MergeMethod kBreadcrumbsMerge = {"breadcrumbs", "neither the smallest differences nor outliers, added up (Davari and Belilovsky 2024)", 1, kMany,
                                                 kBreadcrumbs, make<Keep::without_outliers, false>};
constinit const MergeMethod kBreadcrumbsTiesMerge = {"breadcrumbs_ties", "the same with elected signs", 1, kMany, kBreadcrumbsTies,
                                                     make<Keep::without_outliers, true>};

}  // namespace dstore
