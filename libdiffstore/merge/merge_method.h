#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dstore/tensor.h"
#include "merge/parameters.h"

namespace dstore {

/// Which elements of a tensor: those from `first` on, or the listed ones, increasing, where there is a list.
struct ElementList {
  std::uint64_t first = 0;
  std::span<const std::uint64_t> positions{};

  std::uint64_t operator[](std::size_t j) const { return positions.empty() ? first + j : positions[j]; }
};

/// The same elements of one tensor in the base and in every model. Value: double, or float where the dtype's values are floats.
template <class Value>
struct NumberWindow {
  std::uint64_t first = 0;  ///< element of the tensor
  std::span<const Value> base;
  std::span<const std::span<const Value>> models;
  std::span<const std::uint64_t> positions{};  ///< of each element, only for merges that see nothing but changes

  std::size_t size() const { return base.size(); }
  ElementList elements() const { return {first, positions}; }
};
using MergeWindow = NumberWindow<double>;
using FloatWindow = NumberWindow<float>;

/// A tensor of a statistics file; no source: the model has none for this tensor.
struct TensorStatistic {
  const TensorSource* source = nullptr;
  std::size_t tensor = 0;
};

/// What a method is told of a tensor.
struct MergedTensor {
  std::string_view name{};
  DType dtype = DType::f32;  ///< is_numeric(); also what is calculated in
  std::uint64_t elements = 0;
  std::vector<std::uint64_t> shape{};
  std::vector<TensorStatistic> statistics{};  ///< of each model; empty without statistics
  std::vector<std::uint64_t> changed{};       ///< at most so many elements does each model change; empty: not known

  /// Elements of a row: of one index of the first axis; all of them where there are fewer than two axes.
  std::uint64_t row() const { return shape.size() < 2 || shape[0] == 0 ? elements : elements / shape[0]; }
};

/// The merge of one tensor. It may look at the whole tensor several times before it knows what apply() needs; its result is a
/// function of the tensors and the settings alone, whatever the windows.
class TensorMerge {
 public:
  virtual ~TensorMerge() = default;
  /// While true: look() at every window of the tensor, in order, then end_pass().
  virtual bool wants_pass() const { return false; }
  virtual void look(const MergeWindow& window) { (void)window; }
  virtual void end_pass() {}
  /// Windows that look() and apply() are given begin and end at multiples of this.
  virtual std::uint64_t row() const { return 1; }
  /// Something the user should know, once the passes are done; mostly empty.
  virtual std::string note() const { return {}; }
  /// Values of the dtype. Thread-safe.
  virtual void apply(const MergeWindow& window, std::span<double> out) const = 0;

  /// Whether its result for elements that some model changes is the same if windows leave out all others: it goes by elements()
  /// and not by places in the window, and elements without a difference count for nothing.
  virtual bool only_changes() const { return false; }
  /// Whether an element that no model changes comes out as the base's value, but for NaN.
  virtual bool returns_base() const { return false; }
  /// Whether these two do what look() and apply() do, faster; only for dtypes whose values are floats.
  virtual bool takes_floats() const { return false; }
  virtual void look_floats(const FloatWindow& window) { (void)window; }
  virtual void apply_floats(const FloatWindow& window, std::span<float> out) const { (void)window, (void)out; }
};

/// What a method works out over all tensors before the first of them is merged: a threshold, a norm, a sign. A function of the tensors and
/// the settings alone, whatever the windows and the order in which tensors are looked at.
class ModelMerge {
 public:
  virtual ~ModelMerge() = default;
  /// While true: look() at the tensors that some model changes, then end_pass(). Elements that no model changes need not be shown.
  virtual bool wants_pass() const { return false; }
  /// A window of the tensor of that number. Several threads may look at different tensors; the windows of one come in order.
  virtual void look(std::size_t tensor, const MergeWindow& window) { (void)tensor, (void)window; }
  virtual void end_pass() {}
  /// Thread-safe. It must not outlive this.
  virtual std::unique_ptr<TensorMerge> make(const MergeSettings& settings, std::size_t tensor) const = 0;
};

/// A way to merge models of one base (spec/merging.md, "Methods").
struct MergeMethod {
  std::string_view name;
  std::string_view summary;
  std::size_t least_models, most_models;
  MergeSettings::Defaults parameters;
  std::unique_ptr<TensorMerge> (*make)(const MergeSettings& settings, const MergedTensor& tensor);
  /// Null, or gives null with these settings: tensors are merged each by itself, with make(). `tensors` are all that the models and the
  /// base share, changed or not, in the order of the base's names; they outlive it.
  std::unique_ptr<ModelMerge> (*make_model)(const MergeSettings& settings, std::span<const MergedTensor> tensors) = nullptr;
  std::string_view statistics{};  ///< which it needs of every model ("fisher", "gram"); empty: none
};

std::span<const MergeMethod* const> merge_methods();
/// Error{invalid_argument} with the nearest name.
const MergeMethod& find_merge_method(std::string_view name);

// One row each.
extern const MergeMethod kLinearMerge, kTaskArithmeticMerge, kTiesMerge, kDareLinearMerge, kDareTiesMerge, kBreadcrumbsMerge,
    kBreadcrumbsTiesMerge, kMagnitudePruneMerge, kSlerpMerge, kNuslerpMerge, kModelStockMerge, kRamMerge, kRamPlusMerge, kSceMerge,
    kNearswapMerge, kDellaLinearMerge, kDellaMerge, kConsensusMerge, kPcbMerge, kFisherMerge, kRegMeanMerge;

}  // namespace dstore
