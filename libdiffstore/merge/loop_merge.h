#pragma once

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include "merge/merge_method.h"
#include "merge/number_loops.h"
#include "merge/rounding.h"

namespace dstore {

/// A merge written with number_loops(): in float where the dtype allows it, else in double.
template <class A>
class LoopMerge : public TensorMerge {
 public:
  using Value = std::conditional_t<A::type == DType::f64, double, float>;

  virtual void look_at(const NumberWindow<Value>& window) { (void)window; }
  virtual void merge(const NumberWindow<Value>& window, std::span<Value> out) const = 0;

  bool takes_floats() const final { return std::is_same_v<Value, float>; }
  void look(const MergeWindow& window) final {
    with_values(window, [&](const NumberWindow<Value>& values) { look_at(values); });
  }
  void apply(const MergeWindow& window, std::span<double> out) const final {
    with_values(window, [&](const NumberWindow<Value>& values) {
      std::vector<Value> merged(out.size());
      merge(values, merged);
      std::copy(merged.begin(), merged.end(), out.begin());
    });
  }
  void look_floats(const FloatWindow& window) final {
    if constexpr (std::is_same_v<Value, float>) look_at(window);
  }
  void apply_floats(const FloatWindow& window, std::span<float> out) const final {
    if constexpr (std::is_same_v<Value, float>) merge(window, out);
  }

 protected:
  static const NumberLoops<Value>& loops() { return number_loops<Value>(A::type); }
  template <class Use>
  static void with_values(const MergeWindow& window, Use use) {
    const std::vector<Value> base(window.base.begin(), window.base.end());
    std::vector<std::vector<Value>> models;
    for (const std::span<const double> model : window.models) models.emplace_back(model.begin(), model.end());
    const std::vector<std::span<const Value>> views(models.begin(), models.end());
    use(NumberWindow<Value>{window.first, base, views, window.positions});
  }
};

}  // namespace dstore
