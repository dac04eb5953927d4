// Trims that look at rows, and trims whose share is of what changed (spec/merging.md, "Trimming").
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/decimal.h"
#include "dstore/error.h"
#include "merge/rounding.h"
#include "merge/trim.h"

namespace dstore {
namespace {

/// DELLA: kept at random, the more probably the larger within its row.
class ByRank : public Trim {
 public:
  ByRank(const MergedTensor& tensor, const RankRule& rule, PhiloxKey key)
      : dtype_(tensor.dtype), row_(std::max<std::uint64_t>(1, tensor.row())), rule_(rule), key_(key) {}

  void apply(const ElementList& elements, std::span<double> differences) const override {
    std::vector<std::uint32_t> order(row_);
    for (std::size_t at = 0; at < differences.size(); at += row_) {
      const std::span<double> row = differences.subspan(at, row_);
      std::iota(order.begin(), order.end(), 0u);
      std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        const double x = std::fabs(row[a]), y = std::fabs(row[b]);
        return x != y ? x < y : a > b;  // of equal ones the lower index counts as larger
      });
      for (std::size_t rank = 0; rank < order.size(); ++rank) drop_or_scale(elements[at + order[rank]], row[order[rank]], probability(rank));
    }
  }

 private:
  float probability(std::size_t rank) const {
    if (row_ == 1) return static_cast<float>(rule_.density);
    const float place = static_cast<float>(static_cast<double>(rank) / static_cast<double>(row_ - 1));
    const float spread = place * 2 * static_cast<float>(rule_.epsilon);
    return static_cast<float>(rule_.density - rule_.epsilon) + spread;
  }
  void drop_or_scale(std::uint64_t element, double& value, float probability) const {
    if (value == 0) return;
    if (trim_draw(key_, element) >= probability) value = 0;
    else if (rule_.inverse) value = with_arithmetic(dtype_, [&]<class A>(A) { return A::round(value * A::widen(1 / static_cast<double>(probability))); });
  }

  DType dtype_;
  std::uint64_t row_;
  RankRule rule_;
  PhiloxKey key_;
};

/// A trim of so many elements as the model changes; make() gives one that goes by changes alone.
class OfChanged : public Trim {
 public:
  OfChanged(const MergedTensor& tensor, Make make) : tensor_(tensor), make_(std::move(make)) { tensor_.elements = 0; }
  bool wants_pass() const override { return !trim_ || trim_->wants_pass(); }
  void look(const ElementList& elements, std::span<const double> differences) override { look_at(elements, differences); }
  void look(const ElementList& elements, std::span<const float> differences) override { look_at(elements, differences); }
  void end_pass() override {
    if (trim_) trim_->end_pass();
    else trim_ = make_(tensor_);
  }
  void apply(const ElementList& elements, std::span<double> differences) const override { trim_->apply(elements, differences); }
  void apply(const ElementList& elements, std::span<float> differences) const override { trim_->apply(elements, differences); }
  bool only_changes() const override { return true; }

 private:
  template <class Value>
  void look_at(const ElementList& elements, std::span<const Value> differences) {
    if (trim_) return trim_->look(elements, differences);
    tensor_.elements += differences.size() - static_cast<std::size_t>(std::count(differences.begin(), differences.end(), Value{0}));
  }

  MergedTensor tensor_;  ///< its elements: those that the model changes
  Make make_;
  std::unique_ptr<Trim> trim_;
};

}  // namespace

std::unique_ptr<Trim> Trim::by_rank(const MergedTensor& tensor, const RankRule& rule, std::uint64_t seed, std::size_t model) {
  if (rule.density >= 1) return keep_all();
  if (rule.density <= 0) return largest(tensor, 0);
  if (rule.density - rule.epsilon <= 0 || rule.density + rule.epsilon >= 1) {
    throw Error(ErrorCode::invalid_argument, "epsilon: " + shortest_decimal(rule.epsilon) + " is too much for a density of " + shortest_decimal(rule.density) +
                                                 "; density - epsilon must be above 0, density + epsilon below 1");
  }
  return std::make_unique<ByRank>(tensor, rule, trim_key(tensor.name, seed, model));
}

std::unique_ptr<Trim> Trim::of_changed(const MergedTensor& tensor, Make make) { return std::make_unique<OfChanged>(tensor, std::move(make)); }

}  // namespace dstore
