#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dstore {

/// One thing that `--set NAME=VALUE` can change.
struct Hyperparameter {
  std::string_view name;
  std::string_view value;  ///< default
  std::string_view help;   ///< with the allowed words for those that are not numbers
};

using PresetValue = std::pair<std::string_view, std::string_view>;  ///< name of a hyperparameter, value
/// Values that go together: `--set preset=NAME`.
struct Preset {
  std::string_view name;
  std::string_view help;
  std::span<const PresetValue> values;
};

/// A message: `no WHAT "NAME"; did you mean ...? (known names)`.
std::string unknown_name(const std::string& what, const std::string& name, const std::vector<std::string>& known);

/// The hyperparameters of one run.
class Settings {
 public:
  /// Defaults, then the preset if one is set, then the single settings. Error{invalid_argument} for an unknown name (lists
  /// the known ones).
  Settings(std::span<const Hyperparameter> known, std::span<const Preset> presets, const std::vector<std::string>& assignments);

  const std::map<std::string, std::string>& all() const { return values_; }
  const std::string& text(const std::string& name) const { return values_.at(name); }
  /// Error{invalid_argument} unless it is a number in [low, high].
  double number(const std::string& name, double low, double high) const;
  /// Numbers joined by commas, at least one, each as above.
  std::vector<double> numbers(const std::string& name, double low, double high) const;
  /// Error{invalid_argument} unless it is one of `words`.
  std::string word(const std::string& name, std::initializer_list<std::string_view> words) const;
  bool yes(const std::string& name) const { return word(name, {"yes", "no"}) == "yes"; }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace dstore
