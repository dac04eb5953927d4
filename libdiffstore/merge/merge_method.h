#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "dstore/tensor.h"
#include "merge/parameters.h"

namespace dstore {

/// The same elements of one tensor in the base and in every model, as doubles (every value of the dtype is one).
struct MergeWindow {
  std::uint64_t first = 0;  ///< element of the tensor
  std::span<const double> base;
  std::span<const std::span<const double>> models;

  std::size_t size() const { return base.size(); }
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
  /// Values of the dtype. Thread-safe.
  virtual void apply(const MergeWindow& window, std::span<double> out) const = 0;
};

/// What a method is told of a tensor.
struct MergedTensor {
  std::string_view name;
  DType dtype = DType::f32;  ///< is_numeric(); also what is calculated in
  std::uint64_t elements = 0;
};

/// A way to merge models of one base (spec/merging.md, "Methods").
struct MergeMethod {
  std::string_view name;
  std::string_view summary;
  std::size_t least_models, most_models;
  MergeSettings::Defaults parameters;
  std::unique_ptr<TensorMerge> (*make)(const MergeSettings& settings, const MergedTensor& tensor);
};

std::span<const MergeMethod* const> merge_methods();
/// Error{invalid_argument} with the nearest name.
const MergeMethod& find_merge_method(std::string_view name);

// One row each.
extern const MergeMethod kLinearMerge, kTaskArithmeticMerge, kTiesMerge, kDareLinearMerge, kDareTiesMerge, kBreadcrumbsMerge,
    kBreadcrumbsTiesMerge, kMagnitudePruneMerge, kSlerpMerge, kNuslerpMerge, kModelStockMerge, kRamMerge, kRamPlusMerge, kSceMerge,
    kNearswapMerge;

}  // namespace dstore
