#include "trainer/methods/settings.h"

#include <charconv>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/edit_distance.h"
#include "dstore/error.h"

namespace dstore {
namespace {

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorCode::invalid_argument, "--set: " + message); }

/// `text` as a number in [low, high].
double parse_number(const std::string& name, std::string_view text, double low, double high) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= low && value <= high) return value;
  fail(name + ": \"" + printable(std::string(text)) + "\" is not a number from " + shortest_decimal(low) + " to " + shortest_decimal(high));
}

}  // namespace

std::string unknown_name(const std::string& what, const std::string& name, const std::vector<std::string>& known) {
  std::string names;
  for (const std::string& one : known) names += (names.empty() ? "" : ", ") + one;
  const auto near = nearest(name, known);
  return "no " + what + " \"" + printable(name) + "\"" + (near ? "; did you mean " + *near + "?" : "") + " (" +
         (names.empty() ? "this method has none" : names) + ")";
}

Settings::Settings(std::span<const Hyperparameter> known, std::span<const Preset> presets, const std::vector<std::string>& assignments) {
  std::vector<std::string> names;
  for (const Hyperparameter& row : known) {
    values_[std::string(row.name)] = row.value;
    names.emplace_back(row.name);
  }
  const auto apply_preset = [&](const std::string& name) {
    std::vector<std::string> choices;
    for (const Preset& preset : presets) {
      choices.emplace_back(preset.name);
      if (preset.name != name) continue;
      for (const auto& [key, value] : preset.values) values_[std::string(key)] = value;
      return;
    }
    fail(unknown_name("preset", name, choices));
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
        fail(unknown_name("hyperparameter", key, names));
      } else {
        values_[key] = value;
      }
    }
  }
}

double Settings::number(const std::string& name, double low, double high) const { return parse_number(name, values_.at(name), low, high); }

std::vector<double> Settings::numbers(const std::string& name, double low, double high) const {
  std::vector<double> numbers;
  const std::string_view text = values_.at(name);
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find(',', begin);
    numbers.push_back(parse_number(name, text.substr(begin, end - begin), low, high));
    if (end == std::string_view::npos) return numbers;
    begin = end + 1;
  }
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
