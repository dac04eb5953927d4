// Methods that move between the models' weights: averages, spheres, model stock, nearswap (spec/merging.md).
#include <algorithm>
#include <cmath>

#include "dstore/error.h"
#include "merge/loop_merge.h"
#include "merge/make_merge.h"

namespace dstore {
namespace {

/// The weighted mean or sum, by fused multiply-add in fp32 (fp64 for f64), rounded once.
template <class A>
class Linear : public LoopMerge<A> {
 public:
  using Value = typename LoopMerge<A>::Value;

  explicit Linear(const MergeSettings& settings) {
    double total = 0;
    for (std::size_t i = 0; i < settings.models(); ++i) {
      weights_.push_back(static_cast<Value>(A::widen(settings.number("weight", i))));
      total = A::widen(total + weights_.back());
    }
    if (!settings.flag("normalize")) return;
    divisor_ = static_cast<Value>(total);
    if (divisor_ == 0) throw Error(ErrorCode::invalid_argument, "the weights sum to 0, and method linear divides by their sum; give others, or normalize=false");
  }
  bool only_changes() const override { return true; }
  void merge(const NumberWindow<Value>& window, std::span<Value> out) const override {
    std::fill(out.begin(), out.end(), Value{0});
    for (std::size_t i = 0; i < weights_.size(); ++i) this->loops().fuse(window.models[i].data(), weights_[i], out.size(), out.data());
    this->loops().divide(out.data(), divisor_, out.size());
  }

 private:
  std::vector<Value> weights_;
  Value divisor_ = 1;
};

/// Lengths and scalar products of vectors that are shown window by window.
class Angles {
 public:
  explicit Angles(std::size_t vectors) : vectors_(vectors), products_(vectors * vectors) {}
  template <class Value>
  void add(std::size_t elements, Value value) {
    std::vector<double> column(vectors_);
    for (std::size_t j = 0; j < elements; ++j) {
      for (std::size_t i = 0; i < vectors_; ++i) column[i] = value(i, j);
      for (std::size_t a = 0; a < vectors_; ++a) {
        for (std::size_t b = a; b < vectors_; ++b) products_[a * vectors_ + b] += column[a] * column[b];
      }
    }
  }
  double length(std::size_t a) const { return std::sqrt(products_[a * vectors_ + a]); }
  double product(std::size_t a, std::size_t b) const { return products_[std::min(a, b) * vectors_ + std::max(a, b)]; }

 private:
  std::size_t vectors_;
  std::vector<double> products_;
};

/// The Angles of a tensor's vectors: of the whole, of each row (along the last axis) or of each column (along the first).
class GroupedAngles {
 public:
  GroupedAngles(std::string_view vectors, const MergedTensor& tensor, std::size_t models) {
    const std::uint64_t last = tensor.shape.empty() ? 1 : tensor.shape.back();
    const bool rows = vectors == "rows" && tensor.shape.size() > 1, columns = vectors == "columns" && tensor.shape.size() > 1;
    length_ = std::max<std::uint64_t>(1, rows ? last * (tensor.elements / std::max<std::uint64_t>(1, product(tensor.shape))) : tensor.elements);
    if (columns) columns_ = std::max<std::uint64_t>(1, tensor.row());
    angles_.assign(columns ? columns_ : std::max<std::uint64_t>(1, tensor.elements / length_), Angles(models));
  }
  std::size_t of(std::uint64_t element) const { return columns_ > 0 ? element % columns_ : element / length_; }
  std::size_t count() const { return angles_.size(); }
  const Angles& operator[](std::size_t group) const { return angles_[group]; }
  /// `value(i, j)` is the j-th of the window's elements in the i-th model.
  template <class Value>
  void add(const MergeWindow& window, Value value) {
    for (std::size_t at = 0; at < window.size();) {
      const std::uint64_t element = window.elements()[at];
      const std::size_t run = columns_ > 0 || !window.positions.empty() ? 1 : std::min<std::uint64_t>(window.size() - at, length_ - element % length_);
      angles_[of(element)].add(run, [&](std::size_t i, std::size_t j) { return value(i, at + j); });
      at += run;
    }
  }

 private:
  static std::uint64_t product(const std::vector<std::uint64_t>& shape) {
    std::uint64_t out = 1;
    for (const std::uint64_t size : shape) out *= size;
    return out;
  }
  std::uint64_t length_ = 1, columns_ = 0;
  std::vector<Angles> angles_;
};

/// What a point on the way from one vector to the other is: a * first + b * second.
struct Mix {
  double a = 1, b = 0;
};

Mix spherical(double t, double cosine) {
  const double angle = std::acos(cosine), sine = std::sin(angle);
  return {std::sin((1 - t) * angle) / sine, std::sin(t * angle) / sine};
}

template <class A>
class Slerp : public TensorMerge {
 public:
  explicit Slerp(const MergeSettings& settings) : t_(settings.number("t")) {}
  bool wants_pass() const override { return !ready_; }
  void look(const MergeWindow& window) override {
    angles_.add(window.size(), [&](std::size_t i, std::size_t j) { return window.models[i][j]; });
  }
  void end_pass() override {
    const auto safe = [](double length) { return length > kLeastLength ? length : 1; };
    const double cosine = std::clamp(angles_.product(0, 1) / (safe(angles_.length(0)) * safe(angles_.length(1))), -1.0, 1.0);
    mix_ = std::fabs(cosine) > kCollinear ? Mix{1 - t_, t_} : spherical(t_, cosine);
    ready_ = true;
  }
  void apply(const MergeWindow& window, std::span<double> out) const override {
    for (std::size_t j = 0; j < out.size(); ++j) out[j] = A::round(A::widen(mix_.a * window.models[0][j] + mix_.b * window.models[1][j]));
  }

 private:
  static constexpr double kLeastLength = 1e-8, kCollinear = 0.9995;
  double t_;
  Angles angles_{2};
  Mix mix_;
  bool ready_ = false;
};

template <class A>
class Nuslerp : public TensorMerge {
 public:
  Nuslerp(const MergeSettings& settings, const MergedTensor& tensor)
      : differences_(settings.word("of") == "differences"), angles_(settings.word("vectors"), tensor, 2) {
    const double total = settings.number("weight", 0) + settings.number("weight", 1);
    t_ = std::fabs(total) < 1e-6 ? 0.5 : settings.number("weight", 1) / total;
  }
  bool wants_pass() const override { return mixes_.empty(); }
  bool only_changes() const override { return differences_; }
  void look(const MergeWindow& window) override {
    angles_.add(window, [&](std::size_t i, std::size_t j) { return value(window, i, j); });
  }
  void end_pass() override {
    const auto safe = [](double length) { return std::max(length, kLeastLength); };
    for (std::size_t group = 0; group < angles_.count(); ++group) {
      const Angles& angles = angles_[group];
      const double cosine = std::clamp(angles.product(0, 1) / (safe(angles.length(0)) * safe(angles.length(1))), -1.0, 1.0);
      mixes_.push_back(1 - cosine * cosine <= kCollinear * kCollinear ? Mix{1 - t_, t_} : spherical(t_, cosine));
    }
  }
  void apply(const MergeWindow& window, std::span<double> out) const override {
    for (std::size_t j = 0; j < out.size(); ++j) {
      const Mix& mix = mixes_[angles_.of(window.elements()[j])];
      const double mixed = A::round(A::widen(mix.a * value(window, 0, j) + mix.b * value(window, 1, j)));
      out[j] = differences_ ? A::round(window.base[j] + mixed) : mixed;
    }
  }

 private:
  static constexpr double kLeastLength = 1e-7, kCollinear = 1e-8;
  double value(const MergeWindow& window, std::size_t i, std::size_t j) const {
    return differences_ ? difference<A>(window.models[i][j], window.base[j]) : window.models[i][j];
  }
  bool differences_;
  double t_;
  GroupedAngles angles_;
  std::vector<Mix> mixes_;
};

template <class A>
class ModelStock : public TensorMerge {
 public:
  ModelStock(const MergeSettings& settings, const MergedTensor& tensor) : models_(settings.models()), angles_(settings.word("vectors"), tensor, models_) {}
  bool only_changes() const override { return true; }
  bool wants_pass() const override { return places_.empty(); }
  void look(const MergeWindow& window) override {
    angles_.add(window, [&](std::size_t i, std::size_t j) { return difference<A>(window.models[i][j], window.base[j]); });
  }
  void end_pass() override {
    for (std::size_t group = 0; group < angles_.count(); ++group) places_.push_back(place(angles_[group]));
  }
  void apply(const MergeWindow& window, std::span<double> out) const override {
    const auto count = static_cast<double>(models_);
    for (std::size_t j = 0; j < out.size(); ++j) {
      double mean = 0;
      for (std::size_t i = 0; i < models_; ++i) mean += window.models[i][j];
      const double t = places_[angles_.of(window.elements()[j])];
      out[j] = A::round(A::widen(t * (mean / count) + (1 - t) * window.base[j]));
    }
  }

 private:
  static constexpr double kSmall = 1e-6;
  /// How far from the base to the mean.
  double place(const Angles& angles) const {
    double sum = 0;
    for (std::size_t a = 0; a < models_; ++a) {
      for (std::size_t b = a + 1; b < models_; ++b) {
        sum += std::clamp(angles.product(a, b) / std::max(angles.length(a) * angles.length(b), kSmall), -1.0, 1.0);
      }
    }
    const auto count = static_cast<double>(models_);
    const double cosine = sum / (count * (count - 1) / 2), divisor = 1 + (count - 1) * cosine;
    return std::fabs(divisor) < kSmall ? 0 : count * cosine / divisor;
  }
  std::size_t models_;
  GroupedAngles angles_;
  std::vector<double> places_;
};

template <class A>
class Nearswap : public TensorMerge {
 public:
  explicit Nearswap(const MergeSettings& settings) : t_(settings.number("t")) {}
  bool only_changes() const override { return true; }
  void apply(const MergeWindow& window, std::span<double> out) const override {
    for (std::size_t j = 0; j < out.size(); ++j) {
      const double from = window.models[0][j], to = window.models[1][j];
      const double share = A::round(std::clamp(t_ / std::max(std::fabs(from - to), kSmall), 0.0, 1.0));
      out[j] = A::round(A::round(share * to) + A::round((1 - share) * from));
    }
  }

 private:
  static constexpr double kSmall = 1e-6;
  double t_;
};

using Default = std::pair<std::string_view, std::string_view>;
constexpr Default kLinear[] = {{"weight", "1"}, {"normalize", "true"}};
constexpr Default kPosition[] = {{"t", "0.5"}};
constexpr Default kNuslerp[] = {{"weight", "1"}, {"of", "differences"}, {"vectors", "tensor"}};
constexpr Default kModelStock[] = {{"vectors", "tensor"}};

}  // namespace

constinit const MergeMethod kLinearMerge = {"linear", "weighted average of the weights", 1, SIZE_MAX, kLinear, make_merge<Linear>};
constinit const MergeMethod kSlerpMerge = {"slerp", "spherical interpolation from the first model to the second", 2, 2, kPosition, make_merge<Slerp>};
constinit const MergeMethod kNuslerpMerge = {"nuslerp", "the same, by their weights, of the differences from the base or of the weights", 2, 2, kNuslerp, make_merge<Nuslerp>};
constinit const MergeMethod kModelStockMerge = {"model_stock", "between base and mean, by the angles of the differences (Jang et al. 2024)", 2, SIZE_MAX, kModelStock,
                                                make_merge<ModelStock>};
constinit const MergeMethod kNearswapMerge = {"nearswap", "the first model, moved to the second where they are near", 2, 2, kPosition, make_merge<Nearswap>};

}  // namespace dstore
