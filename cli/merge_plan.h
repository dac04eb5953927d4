#pragma once

#include <string>
#include <vector>

#include "dstore/tensor.h"
#include "merge/merge_method.h"
#include "merge_config.h"

namespace dstore::cli {

/// Where a configuration's base_model takes part.
enum class BaseRole {
  base,   ///< what the differences are taken from, whether it is listed or not
  model,  ///< one of the models, if it is listed
  first,  ///< the first of two models
};

/// What a configuration merges: which models, in which order, and each parameter for each tensor.
class MergePlan {
 public:
  /// Error{invalid_argument}: unknown method or parameter, layers in another order or number, models that differ between slices.
  /// `tensors` are the base's.
  MergePlan(MergeConfig config, const std::vector<TensorInfo>& tensors);

  const MergeMethod& method() const { return method_; }
  const std::vector<std::string>& models() const { return models_; }  ///< revisions
  /// The revision that must be the tasks' base; "": any.
  std::string base() const { return role_ == BaseRole::base ? config_.base_model : ""; }
  /// The parameters as MergeSettings takes them.
  MergeSettings::Given given(std::string_view tensor) const;
  /// Whether they are not the same for every tensor.
  bool varies() const;
  const std::vector<std::string>& notes() const { return notes_; }  ///< what has no effect

  /// The models that a configuration names, before its layers are known. Error{invalid_argument} where that is unclear.
  static std::vector<std::string> models_of(const MergeConfig& config);

 private:
  struct Place {
    std::size_t slice = 0;
    double t = 0;
  };
  Place place_of(std::string_view tensor) const;
  bool has_parameter(std::string_view name) const;
  void check_layers(std::uint64_t layers) const;
  std::optional<std::string> find(std::string_view parameter, std::string_view tensor, const Place& place, const std::string* model, bool words) const;

  MergeConfig config_;
  const MergeMethod& method_;
  BaseRole role_;
  std::vector<std::string> models_;
  std::vector<std::string> parameters_;  ///< every name that stands in it
  std::vector<std::string> notes_;
  std::uint64_t layers_ = 0;
};

/// What is calculated in, where that is not the tensors' own dtype. Error{unsupported} where the configuration wants results in another dtype.
std::optional<DType> calculated_in(const MergeConfig& config, const std::vector<TensorInfo>& tensors);

}  // namespace dstore::cli
