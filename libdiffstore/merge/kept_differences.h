#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "merge/task_vectors.h"

namespace dstore {

/// The differences t_i of a tensor's models from the base, trimmed and rescaled (spec/merging.md, "Trimming"). Shown the tensor in passes
/// like a TensorMerge.
template <class A>
class KeptDifferences {
 public:
  KeptDifferences(std::vector<std::unique_ptr<Trim>> trims, const MergeSettings& settings, bool own_scales) {
    const std::string_view rescale = settings.has("rescale") ? settings.word("rescale") : "none";
    for (std::size_t i = 0; i < trims.size(); ++i) {
      models_.push_back({std::move(trims[i])});
      const double density = settings.number("density", i);
      if (density <= 0 || density >= 1) continue;
      if (rescale == "inverse" && !own_scales) models_[i].scale = 1 / density;
      measure_ = measure_ || rescale == "l1";
    }
  }

  std::size_t models() const { return models_.size(); }
  bool wants_pass() const { return trimming() || (measure_ && !measured_); }
  void look(const MergeWindow& window) {
    const bool trim = trimming();
    for (std::size_t i = 0; i < models_.size(); ++i) {
      Model& model = models_[i];
      if (trim && !model.trim->wants_pass()) continue;
      subtract(window, i, differences_);
      if (trim) {
        model.trim->look({window.first}, differences_);
        continue;
      }
      for (const double value : differences_) model.before += std::fabs(value);
      model.trim->apply({window.first}, differences_);
      for (const double value : differences_) model.after += std::fabs(value);
    }
  }
  void end_pass() {
    const bool trim = trimming();
    for (Model& model : models_) {
      if (trim && model.trim->wants_pass()) model.trim->end_pass();
      if (!trim && model.before >= kLeastNorm && model.after >= kLeastNorm) model.scale = model.before / model.after;
    }
    if (!trim) measured_ = true;
  }

  /// Calls take(j, column) with the t_i of every element j of the window; the column may be overwritten.
  template <class Take>
  void for_each(const MergeWindow& window, Take take) const {
    std::vector<std::vector<double>> kept(models_.size());
    for (std::size_t i = 0; i < models_.size(); ++i) {
      subtract(window, i, kept[i]);
      models_[i].trim->apply({window.first}, kept[i]);
      if (models_[i].scale == 1) continue;
      const double scale = A::widen(models_[i].scale);
      for (double& value : kept[i]) value = A::round(value * scale);
    }
    std::vector<double> column(models_.size());
    for (std::size_t j = 0; j < window.size(); ++j) {
      for (std::size_t i = 0; i < models_.size(); ++i) column[i] = kept[i][j];
      take(j, column);
    }
  }

 private:
  static constexpr double kLeastNorm = 1e-7;  ///< differences with a smaller L1 norm are not rescaled
  struct Model {
    std::unique_ptr<Trim> trim;
    double scale = 1;
    double before = 0, after = 0;  ///< L1
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
    for (std::size_t j = 0; j < out.size(); ++j) out[j] = difference<A>(values[j], window.base[j]);
  }

  std::vector<Model> models_;
  bool measure_ = false, measured_ = false;
  std::vector<double> differences_;  ///< of look()
};

}  // namespace dstore
