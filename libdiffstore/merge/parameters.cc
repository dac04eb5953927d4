#include "merge/parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/bytes.h"
#include "base/edit_distance.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::string_view kFlag[] = {"true", "false"};
constexpr std::string_view kRescale[] = {"none", "inverse", "l1"};
constexpr std::string_view kElect[] = {"weighted", "unweighted", "count"};
constexpr std::string_view kMean[] = {"weights", "count", "sum", "max"};
constexpr std::string_view kTie[] = {"plus", "global", "base"};
constexpr std::string_view kScope[] = {"tensor", "model"};
constexpr std::string_view kDensityOf[] = {"elements", "nnz"};
constexpr std::string_view kVectors[] = {"tensor", "rows", "columns"};
constexpr std::string_view kRows[] = {"tensor", "rows"};
constexpr std::string_view kOf[] = {"differences", "weights"};
constexpr double kAny = 1e30;

constexpr MergeParameter kParameters[] = {
    {"weight", true, -kAny, kAny, {}, "how much of each model"},
    {"density", true, 0, 1, {}, "share of each tensor's elements whose difference is kept"},
    {"gamma", true, 0, 1, {}, "share of the largest differences that are dropped as outliers"},
    {"normalize", false, 0, 0, kFlag, "divide by the sum of the weights"},
    {"lambda", false, -kAny, kAny, {}, "factor of the merged difference"},
    {"rescale", false, 0, 0, kRescale, "what makes up for dropped differences: 1/density, or the L1 norm as before"},
    {"elect", false, 0, 0, kElect, "what decides the sign: the weighted differences, the differences, or how many have it"},
    {"mean", false, 0, 0, kMean, "what is made of the differences of the elected sign: divided by the sum of their weights or by their number, their sum, the largest"},
    {"tie", false, 0, 0, kTie, "an election without a winner: positive, the sign that wins most elections, or the base's value"},
    {"trim_scope", false, 0, 0, kScope, "whether the largest of each tensor are kept, or of the whole model, those equal to the last included"},
    {"density_of", false, 0, 0, kDensityOf, "what the density is a share of: all elements, or those that the model changes"},
    {"least", false, 0, 1, {}, "how many are kept at least where density is not 0: 0 or 1"},
    {"epsilon", true, 0, 1, {}, "the probability of being kept goes from density - epsilon to density + epsilon", "della"},
    {"mask_lambda", false, 0, kAny, {}, "an element counts for a model whose difference is so large beside those of the others"},
    {"agree", false, 0, kAny, {}, "for how many models it must count"},
    {"ratio", false, 0, 1, {}, "share of the elements of the highest scores that are scaled by them; the others are dropped"},
    {"normalize_fisher", false, 0, 0, kFlag, "divide by the length of each model's Fisher information"},
    {"off_diagonal", false, 0, 1, {}, "factor of the Gram matrices beside the diagonal"},
    {"vectors", false, 0, 0, kRows, "whether angles are those of whole tensors, or of rows", "model_stock"},
    {"vectors", false, 0, 0, kVectors, "whether angles are those of whole tensors, or of rows or columns"},
    {"t", false, 0, 1, {}, "0: the first model, 1: the second"},
    {"of", false, 0, 0, kOf, "whether the differences to the base are interpolated, or the weights"},
    {"epsilon", false, 0, kAny, {}, "differences up to it are none"},
    {"r", false, 0, kAny, {}, "how strongly unshared differences grow with overlap"},
    {"alpha", false, 0, kAny, {}, "most of that"},
    {"select_topk", false, 0, 1, {}, "share of the elements that differ between the models which is merged, by variance"},
};

[[noreturn]] void fail(std::string_view parameter, const std::string& message) {
  throw Error(ErrorCode::invalid_argument, std::string(parameter) + ": " + message);
}

double to_number(std::string_view text) {
  double value = NAN;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() ? value : NAN;
}

void check(const MergeParameter& row, std::string_view text) {
  if (!row.choices.empty()) {
    if (std::find(row.choices.begin(), row.choices.end(), text) != row.choices.end()) return;
    std::string names;
    for (const std::string_view choice : row.choices) names += (names.empty() ? "" : ", ") + std::string(choice);
    fail(row.name, "\"" + printable(text) + "\" is none of " + names);
  }
  const double value = to_number(text);
  if (!std::isfinite(value)) fail(row.name, "\"" + printable(text) + "\" is no finite number");
  if (value >= row.least && value <= row.most) return;
  fail(row.name, printable(text) + " is out of range" + (row.most < kAny ? " (0 to 1)" : " (at least 0)"));
}

}  // namespace

const MergeParameter* find_merge_parameter(std::string_view method, std::string_view name) {
  const auto place = std::find_if(std::begin(kParameters), std::end(kParameters),
                                  [&](const MergeParameter& row) { return row.name == name && method.starts_with(row.methods); });
  return place == std::end(kParameters) ? nullptr : place;
}

MergeSettings::MergeSettings(std::string_view method, Defaults defaults, const Given& given, std::size_t models, std::uint64_t seed)
    : method_(method), defaults_(defaults), models_(models), seed_(seed) {
  std::vector<std::string> names;
  for (const auto& [name, value] : defaults) {
    names.emplace_back(name);
    values_.emplace(name, std::vector<std::string>(find_merge_parameter(method, name)->per_model ? models : 1, std::string(value)));
  }
  if (const auto preset = given.find("preset"); preset != given.end()) {
    if (preset->second.size() != 1) fail("preset", "give one");
    for (const auto& [name, value] : merge_preset(preset->second.front(), method, names)) values_.find(name)->second.assign(1, std::string(value));
  }
  for (const auto& [name, texts] : given) {
    if (name == "preset") continue;
    const auto place = values_.find(name);
    if (place == values_.end()) {
      const auto near = nearest(name, names);
      std::string list;
      for (const std::string& known : names) list += (list.empty() ? "" : ", ") + known;
      throw Error(ErrorCode::invalid_argument, "method " + std::string(method) + " has no parameter \"" + printable(name) + "\"" +
                                                   (near ? "; did you mean " + *near + "?" : " (" + (list.empty() ? "it has none" : list) + ")"));
    }
    const MergeParameter& row = *find_merge_parameter(method, name);
    if (texts.size() != 1 && texts.size() != place->second.size()) {
      fail(name, std::to_string(texts.size()) + " values for " + (row.per_model ? std::to_string(models) + " models" : "one parameter"));
    }
    for (std::size_t i = 0; i < place->second.size(); ++i) {
      place->second[i] = texts[texts.size() == 1 ? 0 : i];
      check(row, place->second[i]);
    }
  }
}

MergeSettings MergeSettings::for_tensor(std::string_view name) const {
  return by_tensor_ ? MergeSettings(method_, defaults_, by_tensor_(name), models_, seed_) : *this;
}

double MergeSettings::number(std::string_view name, std::size_t model) const {
  const auto& values = values_.find(name)->second;
  return to_number(values[values.size() == 1 ? 0 : model]);
}

std::string_view MergeSettings::word(std::string_view name) const { return values_.find(name)->second.front(); }

std::map<std::string, std::string> MergeSettings::texts() const {
  std::map<std::string, std::string> out;
  if (by_tensor_) return out;
  for (const auto& [name, values] : values_) {
    std::string text;
    for (const std::string& value : values) text += (text.empty() ? "" : ",") + value;
    out[name] = text;
  }
  return out;
}

}  // namespace dstore
