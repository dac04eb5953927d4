#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dstore {

/// What a merge method can be told (spec/merging.md, "Parameters").
struct MergeParameter {
  std::string_view name;
  bool per_model;   ///< a value for each model, or one for all
  double least = 0, most = 0;                   ///< of a number
  std::span<const std::string_view> choices{};  ///< of a word; empty for a number
  std::string_view summary;
  std::string_view methods{};  ///< only for methods whose names start so, before a row for all
};

/// Null where no method has such a parameter.
const MergeParameter* find_merge_parameter(std::string_view method, std::string_view name);

/// What a preset (mergekit, peft, paper) sets of a method's parameters. Error{invalid_argument}: no such preset, or nothing to set.
std::map<std::string_view, std::string_view> merge_preset(std::string_view preset, std::string_view method, const std::vector<std::string>& parameters);

/// The values of a method's parameters for a number of models.
class MergeSettings {
 public:
  using Given = std::map<std::string, std::vector<std::string>, std::less<>>;
  using Defaults = std::span<const std::pair<std::string_view, std::string_view>>;
  /// What is given for a tensor of the base.
  using GivenByTensor = std::function<Given(std::string_view tensor)>;

  /// `defaults` names the parameters that the method has; `given` may also name a "preset". Error{invalid_argument}: one that it has not (the nearest is named), a
  /// value out of range, another number of values than models.
  MergeSettings(std::string_view method, Defaults defaults, const Given& given, std::size_t models, std::uint64_t seed);

  /// From now on the values depend on the tensor; what was given first holds where a method looks at the model as a whole.
  /// `by_tensor` is called by several threads.
  void vary(GivenByTensor by_tensor) { by_tensor_ = std::move(by_tensor); }
  /// The values for one tensor of the base. Errors as of the constructor.
  MergeSettings for_tensor(std::string_view name) const;

  std::size_t models() const { return models_; }
  std::uint64_t seed() const { return seed_; }
  double number(std::string_view name, std::size_t model = 0) const;
  std::string_view word(std::string_view name) const;
  bool flag(std::string_view name) const { return word(name) == "true"; }
  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  /// Every parameter with its value or, for models, its values: "0.5,0.3". Empty where they depend on the tensor.
  std::map<std::string, std::string> texts() const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;  ///< one, or one for each model
  std::string_view method_;
  Defaults defaults_;
  std::size_t models_;
  std::uint64_t seed_;
  GivenByTensor by_tensor_;
};

}  // namespace dstore
