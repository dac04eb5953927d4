// Methods that add up the models' differences from the base: task arithmetic, TIES, DARE, Breadcrumbs (spec/merging.md).
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>

#include "merge/loop_merge.h"
#include "merge/task_vectors.h"

namespace dstore {
namespace {

/// The rows of this file differ in which differences are kept, and whether the sign of each element is elected.
struct Rules {
  Keep keep;
  bool elect;
};

enum class Votes { weighted, unweighted, count };
enum class Mean { weights, count, sum, max };

template <class Word>
using Choices = std::initializer_list<std::pair<std::string_view, Word>>;

template <class Word>
Word choice(Choices<Word> choices, std::string_view text) {
  for (const auto& [name, word] : choices) {
    if (name == text) return word;
  }
  return choices.begin()->second;
}

/// The choices that an election has.
struct Election {
  Votes votes;
  Mean mean;
  std::optional<int> tie;  ///< the sign that a tie gives, 0: the base's value; none: still to be counted

  Election(const MergeSettings& settings, std::optional<int> majority)
      : votes(choice<Votes>({{"weighted", Votes::weighted}, {"unweighted", Votes::unweighted}, {"count", Votes::count}}, settings.word("elect"))),
        mean(choice<Mean>({{"weights", Mean::weights}, {"count", Mean::count}, {"sum", Mean::sum}, {"max", Mean::max}}, settings.word("mean"))),
        tie(choice<std::optional<int>>({{"plus", 1}, {"base", 0}, {"global", majority}}, settings.word("tie"))) {}
  bool divides() const { return mean == Mean::weights || mean == Mean::count; }
};

constexpr double kLeastNorm = 1e-7;      ///< differences with a smaller L1 norm are not rescaled
constexpr double kLeastDivisor = 1e-8;

template <class A>
class TaskVectors : public LoopMerge<A> {
 public:
  using Value = typename LoopMerge<A>::Value;

  TaskVectors(const Rules& rules, const MergeSettings& settings, const MergedTensor& tensor, Trims trims, std::optional<int> majority)
      : row_(rules.keep == Keep::by_rank ? tensor.row() : 1), steps_{settings.flag("normalize"), static_cast<Value>(A::widen(settings.number("lambda")))} {
    if (rules.elect) {
      election_.emplace(settings, majority);
      steps_.normalize = steps_.normalize && election_->divides();
    }
    const std::string_view rescale = settings.has("rescale") ? settings.word("rescale") : "none";
    double total = 0;
    for (std::size_t i = 0; i < settings.models(); ++i) {
      Model model;
      model.weight = static_cast<Value>(A::round(settings.number("weight", i)));
      model.trim = std::move(trims[i]);
      const double density = settings.has("density") ? settings.number("density", i) : 1;
      if (rescale == "inverse" && rules.keep != Keep::by_rank && density > 0 && density < 1) model.scale = 1 / density;
      measure_ = measure_ || (rescale == "l1" && density > 0 && density < 1);
      total = A::widen(total + model.weight);
      models_.push_back(std::move(model));
    }
    total = A::round(total);
    if (!election_) divisor_ = std::fabs(total) < kLeastDivisor ? Value{1} : static_cast<Value>(total);
  }

  bool only_changes() const override {
    return row_ == 1 && std::all_of(models_.begin(), models_.end(), [](const Model& model) { return model.trim->only_changes(); });
  }
  bool returns_base() const override { return true; }  // its differences are 0: finish()
  std::uint64_t row() const override { return row_; }
  bool wants_pass() const override { return trimming() || measure_ || (election_ && !election_->tie); }

  void look_at(const NumberWindow<Value>& window) override {
    const bool trim = trimming();
    if (!trim && !measure_) {
      balance_ += count_elections(window);
      return;
    }
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
    if (trimming()) {
      for (Model& model : models_) {
        if (model.trim->wants_pass()) model.trim->end_pass();
      }
    } else if (measure_) {
      for (Model& model : models_) {
        if (model.norm_before >= kLeastNorm && model.norm_after >= kLeastNorm) model.scale = model.norm_before / model.norm_after;
      }
      measure_ = false;
    } else {
      election_->tie = balance_ >= 0 ? 1 : -1;
    }
  }

  void merge(const NumberWindow<Value>& window, std::span<Value> out) const override {
    const NumberLoops<Value>& loop = this->loops();
    const std::size_t count = window.size();
    std::vector<Value> divisors(count, divisor_);
    std::fill(out.begin(), out.end(), Value{0});
    if (election_) {
      add_elected(elect(window, *election_->tie), out, divisors);
    } else {
      const Room own = make_room(count);
      for (std::size_t i = 0; i < models_.size(); ++i) {
        keep(window, i, {own.get(), count});
        weigh(i, {own.get(), count});
        loop.add(own.get(), count, out.data());
      }
    }
    loop.finish(window.base.data(), divisors.data(), steps_, count, out.data());
  }

  /// Of the elections in a window: won by plus, less won by minus.
  std::int64_t balance_of(const MergeWindow& window) const {
    std::int64_t balance = 0;
    this->with_values(window, [&](const NumberWindow<Value>& values) { balance = count_elections(values); });
    return balance;
  }

 private:
  struct Model {
    Value weight = 1;
    double scale = 1;
    std::unique_ptr<Trim> trim;
    double norm_before = 0, norm_after = 0;  ///< L1
  };
  using Room = std::unique_ptr<Value[]>;
  static Room make_room(std::size_t count) { return std::make_unique_for_overwrite<Value[]>(count); }

  /// The s_i of all models, by what they vote (their t_i, or the s_i themselves), and the sign that won.
  struct Elected {
    Room weighted, own;
    Room signs;
    const Value* voters() const { return own ? own.get() : weighted.get(); }
  };

  bool trimming() const {
    return std::any_of(models_.begin(), models_.end(), [](const Model& model) { return model.trim->wants_pass(); });
  }
  void subtract(const NumberWindow<Value>& window, std::size_t model, std::span<Value> out) const {
    this->loops().subtract(window.models[model].data(), window.base.data(), out.size(), out.data());
  }
  /// t_i
  void keep(const NumberWindow<Value>& window, std::size_t i, std::span<Value> out) const {
    const Model& model = models_[i];
    subtract(window, i, out);
    model.trim->apply(window.elements(), out);
    if (model.scale != 1) this->loops().scale(out.data(), static_cast<Value>(A::widen(model.scale)), out.size());
  }
  /// s_i
  void weigh(std::size_t i, std::span<Value> values) const {
    if (models_[i].weight != 1) this->loops().scale(values.data(), models_[i].weight, values.size());
  }
  Elected elect(const NumberWindow<Value>& window, int tie) const {
    const NumberLoops<Value>& loop = this->loops();
    const std::size_t count = window.size(), all = models_.size() * count;
    const bool unweighted = election_->votes == Votes::unweighted;
    Elected out{make_room(all), unweighted ? make_room(all) : Room(), std::make_unique<Value[]>(count)};
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const std::span<Value> values(&out.weighted[i * count], count);
      keep(window, i, values);
      if (unweighted) {
        std::copy(values.begin(), values.end(), &out.own[i * count]);
        loop.add(values.data(), count, out.signs.get());
      }
      weigh(i, values);
      if (election_->votes == Votes::weighted) loop.add(values.data(), count, out.signs.get());
      if (election_->votes == Votes::count) loop.add_signs(values.data(), count, out.signs.get());
    }
    loop.elect(out.signs.get(), static_cast<Value>(tie), count);
    return out;
  }
  void add_elected(const Elected& elected, std::span<Value> sums, std::span<Value> divisors) const {
    const NumberLoops<Value>& loop = this->loops();
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const Value* const values = elected.weighted.get() + i * sums.size();
      const Value* const voters = elected.voters() + i * sums.size();
      if (election_->mean == Mean::max) {
        loop.take_largest(values, voters, elected.signs.get(), sums.size(), sums.data());
      } else {
        const Value share = election_->mean == Mean::count ? Value{1} : models_[i].weight;
        loop.add_elected(values, voters, elected.signs.get(), share, sums.size(), sums.data(), divisors.data());
      }
    }
  }
  std::int64_t count_elections(const NumberWindow<Value>& window) const {
    const Elected elected = elect(window, 0);
    std::int64_t balance = 0;
    for (std::size_t j = 0; j < window.size(); ++j) balance += static_cast<std::int64_t>(elected.signs[j]);
    return balance;
  }

  std::uint64_t row_;
  LastSteps<Value> steps_;
  std::optional<Election> election_;
  Value divisor_ = 0;  ///< where no sign is elected: the sum of the weights
  bool measure_ = false;  ///< whether the norms are still to be measured
  std::int64_t balance_ = 0;
  std::vector<Model> models_;
};

std::unique_ptr<TensorMerge> make_with(const Rules& rules, const MergeSettings& settings, const MergedTensor& tensor, Trims trims, std::optional<int> majority) {
  return with_arithmetic(tensor.dtype, [&]<class A>(A) -> std::unique_ptr<TensorMerge> {
    return std::make_unique<TaskVectors<A>>(rules, settings, tensor, std::move(trims), majority);
  });
}

template <Keep kKeep, bool kElect>
std::unique_ptr<TensorMerge> make(const MergeSettings& settings, const MergedTensor& tensor) {
  Trims trims;
  for (std::size_t i = 0; i < settings.models(); ++i) trims.push_back(make_trim(kKeep, settings, tensor, i));
  return make_with({kKeep, kElect}, settings, tensor, std::move(trims), std::nullopt);
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

std::unique_ptr<TensorMerge> make_ties(const MergeSettings& settings, const MergedTensor& tensor, Trims trims, std::optional<int> majority) {
  return make_with({Keep::largest, true}, settings, tensor, std::move(trims), majority);
}

std::int64_t balance_of_elections(const MergeSettings& settings, const MergedTensor& tensor, Trims trims, const MergeWindow& window) {
  return with_arithmetic(tensor.dtype, [&]<class A>(A) {
    return TaskVectors<A>({Keep::largest, true}, settings, tensor, std::move(trims), std::nullopt).balance_of(window);
  });
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
