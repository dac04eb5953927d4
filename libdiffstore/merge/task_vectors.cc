// Methods that add up the models' differences from the base: task arithmetic, TIES, DARE, Breadcrumbs (spec/merging.md).
#include <algorithm>
#include <cmath>

#include "merge/loop_merge.h"
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
class TaskVectors : public LoopMerge<A> {
 public:
  using Value = typename LoopMerge<A>::Value;

  TaskVectors(const Rules& rules, const MergeSettings& settings, const MergedTensor& tensor)
      : elect_(rules.elect), row_(rules.keep == Keep::by_rank ? tensor.row() : 1),
        steps_{settings.flag("normalize"), static_cast<Value>(A::widen(settings.number("lambda")))} {
    if (elect_) {
      const std::string_view election = settings.word("elect");
      election_ = election == "count" ? Election::count : Election::weighted;
      by_count_ = settings.word("mean") == "count";
    }
    const std::string_view rescale = settings.has("rescale") ? settings.word("rescale") : "none";
    double total = 0;
    for (std::size_t i = 0; i < settings.models(); ++i) {
      Model model;
      model.weight = static_cast<Value>(A::round(settings.number("weight", i)));
      model.trim = make_trim(rules.keep, settings, tensor, i);
      const double density = settings.has("density") ? settings.number("density", i) : 1;
      if (rescale == "inverse" && rules.keep != Keep::by_rank && density > 0 && density < 1) model.scale = 1 / density;
      measure_ = measure_ || (rescale == "l1" && density > 0 && density < 1);
      total = A::widen(total + model.weight);
      models_.push_back(std::move(model));
    }
    total = A::round(total);
    if (!elect_) divisor_ = std::fabs(total) < kLeastDivisor ? Value{1} : static_cast<Value>(total);
  }

  bool only_changes() const override {
    return row_ == 1 && std::all_of(models_.begin(), models_.end(), [](const Model& model) { return model.trim->only_changes(); });
  }
  std::uint64_t row() const override { return row_; }
  bool wants_pass() const override { return trimming() || (measure_ && !measured_); }

  void look_at(const NumberWindow<Value>& window) override {
    const bool trim = trimming();
    std::vector<Value> differences(window.size());
    for (std::size_t i = 0; i < models_.size(); ++i) {
      Model& model = models_[i];
      if (trim && !model.trim->wants_pass()) continue;
      subtract(window, i, differences);
      if (trim) {
        model.trim->look(window.elements(), std::span<const Value>(differences));
        continue;
      }
      for (const Value value : differences) model.norm_before += std::fabs(double{value});
      model.trim->apply(window.elements(), std::span<Value>(differences));
      for (const Value value : differences) model.norm_after += std::fabs(double{value});
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

  /// `out` holds the sums until the last step.
  void merge(const NumberWindow<Value>& window, std::span<Value> out) const override {
    const NumberLoops<Value>& loop = this->loops();
    const std::size_t count = window.size();
    std::vector<Value> kept((elect_ ? models_.size() : 1) * count), votes(elect_ ? count : 0), divisors(count, divisor_);
    std::fill(out.begin(), out.end(), Value{0});
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const Model& model = models_[i];
      const std::span<Value> own = std::span(kept).subspan(elect_ ? i * count : 0, count);
      subtract(window, i, own);
      model.trim->apply(window.elements(), own);
      if (model.scale != 1) loop.scale(own.data(), static_cast<Value>(A::widen(model.scale)), count);
      if (model.weight != 1) loop.scale(own.data(), model.weight, count);
      if (!elect_) loop.add(own.data(), count, out.data());
      else if (election_ == Election::weighted) loop.add(own.data(), count, votes.data());
      else loop.add_signs(own.data(), count, votes.data());
    }
    for (std::size_t i = 0; elect_ && i < models_.size(); ++i) {
      loop.add_elected(&kept[i * count], votes.data(), by_count_ ? Value{1} : models_[i].weight, count, out.data(), divisors.data());
    }
    loop.finish(window.base.data(), divisors.data(), steps_, count, out.data());
  }

 private:
  struct Model {
    Value weight = 1;
    double scale = 1;
    std::unique_ptr<Trim> trim;
    double norm_before = 0, norm_after = 0;  ///< L1
  };

  bool trimming() const {
    return std::any_of(models_.begin(), models_.end(), [](const Model& model) { return model.trim->wants_pass(); });
  }
  void subtract(const NumberWindow<Value>& window, std::size_t model, std::span<Value> out) const {
    this->loops().subtract(window.models[model].data(), window.base.data(), out.size(), out.data());
  }

  bool elect_, by_count_ = false;
  std::uint64_t row_;
  LastSteps<Value> steps_;
  Election election_ = Election::weighted;
  Value divisor_ = 0;  ///< where no sign is elected: the sum of the weights
  bool measure_ = false, measured_ = false;
  std::vector<Model> models_;
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
    return Trim::largest(of, least || density * static_cast<double>(of.elements) >= 1 ? density : 0, model);
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
