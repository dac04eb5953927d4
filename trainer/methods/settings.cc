#include "trainer/methods/settings.h"

#include <charconv>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorCode::invalid_argument, "--set: " + message); }

}  // namespace

Settings::Settings(std::span<const Hyperparameter> known, std::span<const Preset> presets, const std::vector<std::string>& assignments) {
  std::string names;
  for (const Hyperparameter& row : known) {
    values_[std::string(row.name)] = row.value;
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  const auto apply_preset = [&](std::string_view name) {
    std::string choices;
    for (const Preset& preset : presets) {
      choices += (choices.empty() ? "" : ", ") + std::string(preset.name);
      if (preset.name != name) continue;
      for (const auto& [key, value] : preset.values) values_[std::string(key)] = value;
      return;
    }
    fail("no preset \"" + printable(name) + "\" (" + (choices.empty() ? "this method has none" : choices) + ")");
  };
  for (const bool preset_pass : {true, false}) {
    for (const std::string& assignment : assignments) {
      const auto equals = assignment.find('=');
      if (equals == std::string::npos) fail("\"" + printable(assignment) + "\" is not KEY=VALUE");
      const std::string key = assignment.substr(0, equals), value = assignment.substr(equals + 1);
      if ((key == "preset") != preset_pass) continue;
      if (preset_pass) {
        apply_preset(value);
      } else if (!values_.contains(key)) {
        fail("no hyperparameter \"" + printable(key) + "\" (" + (names.empty() ? "this method has none" : names) + ")");
      } else {
        values_[key] = value;
      }
    }
  }
}

double Settings::number(const std::string& name, double low, double high) const {
  const std::string& text = values_.at(name);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= low && value <= high)) {
    fail(name + "=" + printable(text) + " is not a number in the allowed range");
  }
  return value;
}

std::string Settings::word(const std::string& name, std::initializer_list<std::string_view> words) const {
  std::string choices;
  for (const std::string_view word : words) {
    if (values_.at(name) == word) return std::string(word);
    choices += (choices.empty() ? "" : ", ") + std::string(word);
  }
  fail(name + "=" + printable(values_.at(name)) + " is not one of: " + choices);
}

}  // namespace dstore
