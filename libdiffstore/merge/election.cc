// TIES and its kin with every rule of election, mean and tie (spec/merging.md, "ties"), and with one threshold for the whole model.
#include <bit>
#include <cmath>
#include <mutex>
#include <optional>

#include "base/radix_select.h"
#include "merge/kept_differences.h"
#include "merge/task_vectors.h"

namespace dstore {
namespace {

enum class Votes { weighted, unweighted, count };
enum class Mean { weights, count, sum, max };
enum class Tie { plus, global, base };

template <class Word>
struct Choice {
  std::string_view text;
  Word word;
};
constexpr Choice<Votes> kVotes[] = {{"weighted", Votes::weighted}, {"unweighted", Votes::unweighted}, {"count", Votes::count}};
constexpr Choice<Mean> kMeans[] = {{"weights", Mean::weights}, {"count", Mean::count}, {"sum", Mean::sum}, {"max", Mean::max}};
constexpr Choice<Tie> kTies[] = {{"plus", Tie::plus}, {"global", Tie::global}, {"base", Tie::base}};

template <class Word, std::size_t kCount>
Word choice(const Choice<Word> (&choices)[kCount], std::string_view text) {
  for (const auto& row : choices) {
    if (row.text == text) return row.word;
  }
  return choices[0].word;
}

/// How the sign of an element is elected and what is made of the differences that have it.
template <class A>
class Election {
 public:
  explicit Election(const MergeSettings& settings)
      : votes_(choice(kVotes, settings.word("elect"))),
        mean_(choice(kMeans, settings.word("mean"))),
        normalize_(settings.flag("normalize")),
        lambda_(A::widen(settings.number("lambda"))) {
    for (std::size_t i = 0; i < settings.models(); ++i) weights_.push_back(A::round(settings.number("weight", i)));
  }

  /// 1, -1, or 0 for a tie.
  int sign(std::span<const double> column) const {
    double votes = 0;
    for (std::size_t i = 0; i < column.size(); ++i) {
      const double weighted = A::round(column[i] * weights_[i]);
      votes = votes_ == Votes::count ? votes + ((weighted > 0) - (weighted < 0)) : A::widen(votes + (votes_ == Votes::weighted ? weighted : column[i]));
    }
    votes = A::round(votes);
    return (votes > 0) - (votes < 0);
  }

  double change(std::span<const double> column, int sign) const {
    double sum = 0, divisor = 0, most = 0;
    for (std::size_t i = 0; i < column.size(); ++i) {
      const double weighted = A::round(column[i] * weights_[i]), voter = votes_ == Votes::unweighted ? column[i] : weighted;
      if (sign > 0 ? !(voter > 0) : !(voter < 0)) continue;
      sum = A::widen(sum + weighted);
      if (std::fabs(weighted) > std::fabs(most)) most = weighted;
      divisor = A::widen(divisor + (mean_ == Mean::count ? 1 : weights_[i]));
    }
    double change = mean_ == Mean::max ? most : A::round(sum);
    divisor = A::round(divisor);
    if (normalize_ && (mean_ == Mean::weights || mean_ == Mean::count)) change = A::round(change / (divisor == 0 ? 1 : divisor));
    return lambda_ == 1 ? change : A::round(change * lambda_);
  }

 private:
  Votes votes_;
  Mean mean_;
  bool normalize_;
  double lambda_;
  std::vector<double> weights_;
};

template <class A>
class Elected : public TensorMerge {
 public:
  /// `majority`: how ties are decided, where the whole model says it.
  Elected(const MergeSettings& settings, KeptDifferences<A> kept, std::uint64_t row, std::optional<int> majority)
      : election_(settings), tie_(choice(kTies, settings.word("tie"))), kept_(std::move(kept)), row_(row), majority_(majority) {
    if (tie_ != Tie::global) majority_ = tie_ == Tie::plus ? 1 : 0;
  }
  std::uint64_t row() const override { return row_; }
  bool wants_pass() const override { return kept_.wants_pass() || !majority_; }
  void look(const MergeWindow& window) override {
    if (kept_.wants_pass()) kept_.look(window);
    else kept_.for_each(window, [&](std::size_t, std::span<const double> column) { balance_ += election_.sign(column); });
  }
  void end_pass() override {
    if (kept_.wants_pass()) kept_.end_pass();
    else majority_ = balance_ >= 0 ? 1 : -1;
  }
  void apply(const MergeWindow& window, std::span<double> out) const override {
    kept_.for_each(window, [&](std::size_t j, std::span<const double> column) {
      const int elected = election_.sign(column), sign = elected != 0 ? elected : *majority_;
      const double change = sign == 0 ? 0 : election_.change(column, sign);
      out[j] = change == 0 ? window.base[j] : A::round(window.base[j] + change);
    });
  }

 private:
  Election<A> election_;
  Tie tie_;
  KeptDifferences<A> kept_;
  std::uint64_t row_;
  std::int64_t balance_ = 0;
  std::optional<int> majority_;
};

/// A key that orders by magnitude, zeros 0; fp32 where `bits` is 32.
std::uint64_t magnitude_key(double value, unsigned bits) {
  return bits == 64 ? std::bit_cast<std::uint64_t>(std::fabs(value)) : std::bit_cast<std::uint32_t>(static_cast<float>(std::fabs(value)));
}

/// What is at least as large as a threshold of the whole model.
class AboveThreshold : public Trim {
 public:
  AboveThreshold(unsigned bits, std::uint64_t threshold) : bits_(bits), threshold_(threshold) {}
  void apply(const ElementList&, std::span<double> differences) const override {
    for (double& value : differences) {
      if (magnitude_key(value, bits_) < threshold_) value = 0;
    }
  }

 private:
  unsigned bits_;
  std::uint64_t threshold_;
};

class ModelTies : public ModelMerge {
 public:
  ModelTies(const MergeSettings& settings, std::span<const MergedTensor> tensors) : settings_(settings), tensors_(tensors), models_(settings.models()) {
    for (const MergedTensor& tensor : tensors) {
      elements_ += tensor.elements;
      if (tensor.dtype == DType::f64) bits_ = 64;
    }
    stage_ = settings.word("density_of") == "nnz" ? Stage::count : Stage::select;
    if (stage_ == Stage::select) {
      for (Model& model : models_) model.candidates = elements_;
      select();
    }
  }
  bool wants_pass() const override { return stage_ != Stage::done; }
  void look(std::size_t tensor, const MergeWindow& window) override {
    with_arithmetic(tensors_[tensor].dtype, [&]<class A>(A) { look_as<A>(tensor, window); });
  }
  void end_pass() override {
    if (stage_ == Stage::count) {
      stage_ = Stage::select;
      return select();
    }
    if (stage_ == Stage::elect) {
      majority_ = balance_ >= 0 ? 1 : -1;
      stage_ = Stage::done;
      return;
    }
    for (Model& model : models_) {
      if (!model.select->done()) model.select->narrow(model.counts);
      model.counts.assign(model.select->done() ? 0 : RadixSelect::kBins, 0);
    }
    leave_select();
  }
  std::unique_ptr<TensorMerge> make(const MergeSettings& settings, std::size_t tensor) const override {
    return with_arithmetic(tensors_[tensor].dtype, [&]<class A>(A) { return make_as<A>(settings); });
  }

 private:
  enum class Stage { count, select, elect, done };
  struct Model {
    std::uint64_t candidates = 0;  ///< elements, or those with a difference
    std::optional<RadixSelect> select;
    RadixSelect::Counts counts;
  };

  void select() {
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const double density = settings_.number("density", i), exact = std::floor(density * static_cast<double>(models_[i].candidates));
      const auto least = static_cast<std::uint64_t>(density > 0 ? settings_.number("least") : 0);
      models_[i].select.emplace(bits_, density >= 1 ? UINT64_MAX : std::max(least, static_cast<std::uint64_t>(exact)));
      models_[i].counts.assign(RadixSelect::kBins, 0);
    }
    leave_select();
  }
  void leave_select() {
    for (const Model& model : models_) {
      if (!model.select->done()) return;
    }
    stage_ = settings_.word("tie") == "global" ? Stage::elect : Stage::done;
  }
  template <class A>
  KeptDifferences<A> kept(const MergeSettings& settings) const {
    std::vector<std::unique_ptr<Trim>> trims;
    for (const Model& model : models_) trims.push_back(std::make_unique<AboveThreshold>(bits_, model.select->threshold()));
    return KeptDifferences<A>(std::move(trims), settings, false);
  }
  template <class A>
  std::unique_ptr<TensorMerge> make_as(const MergeSettings& settings) const {
    return std::make_unique<Elected<A>>(settings, kept<A>(settings), 1, majority_);
  }
  template <class A>
  void look_as(std::size_t, const MergeWindow& window) {
    std::int64_t balance = 0;
    if (stage_ == Stage::elect) {
      const Election<A> election(settings_);
      kept<A>(settings_).for_each(window, [&](std::size_t, std::span<const double> column) { balance += election.sign(column); });
    }
    const std::scoped_lock lock(mutex_);
    balance_ += balance;
    for (std::size_t i = 0; i < models_.size() && stage_ != Stage::elect; ++i) {
      Model& model = models_[i];
      for (std::size_t j = 0; j < window.size(); ++j) {
        const std::uint64_t key = magnitude_key(difference<A>(window.models[i][j], window.base[j]), bits_);
        if (stage_ == Stage::count) model.candidates += key != 0;
        else if (!model.select->done() && model.select->wants(key)) ++model.counts[model.select->digit(key)];
      }
    }
  }

  const MergeSettings& settings_;
  std::span<const MergedTensor> tensors_;
  std::vector<Model> models_;
  std::uint64_t elements_ = 0;
  unsigned bits_ = 32;
  Stage stage_ = Stage::select;
  std::int64_t balance_ = 0;
  std::optional<int> majority_;
  std::mutex mutex_;
};

}  // namespace

bool wants_election(const MergeSettings& settings) {
  const std::string_view mean = settings.word("mean");
  return settings.word("elect") == "unweighted" || settings.word("tie") != "plus" || mean == "sum" || mean == "max";
}

std::unique_ptr<TensorMerge> make_elected(Keep keep, const MergeSettings& settings, const MergedTensor& tensor) {
  std::vector<std::unique_ptr<Trim>> trims;
  for (std::size_t i = 0; i < settings.models(); ++i) trims.push_back(make_trim(keep, settings, tensor, i));
  const bool by_rank = keep == Keep::by_rank;
  return with_arithmetic(tensor.dtype, [&]<class A>(A) -> std::unique_ptr<TensorMerge> {
    return std::make_unique<Elected<A>>(settings, KeptDifferences<A>(std::move(trims), settings, by_rank), by_rank ? tensor.row() : 1, std::nullopt);
  });
}

std::unique_ptr<ModelMerge> make_model_ties(const MergeSettings& settings, std::span<const MergedTensor> tensors) {
  if (settings.word("trim_scope") != "model") return nullptr;
  return std::make_unique<ModelTies>(settings, tensors);
}

}  // namespace dstore
