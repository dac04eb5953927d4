#include "merge_plan.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "base/decimal.h"
#include "delta/stats.h"
#include "dstore/error.h"
#include "tensor/dtype.h"
#include "tensor_place.h"

namespace dstore::cli {
namespace {

struct RoleRow {
  std::string_view method;
  BaseRole role;
};
constexpr RoleRow kRoles[] = {{"linear", BaseRole::model}, {"slerp", BaseRole::first}, {"nearswap", BaseRole::first}};

/// mergekit's name and word for one of ours; parameter "": without effect on the result.
struct Translation {
  std::string_view method, parameter, word, ours, our_word;
};
constexpr Translation kTranslations[] = {
    {"", "int8_mask", "true", "", ""},
    {"", "int8_mask", "false", "", ""},
    {"", "rescale", "true", "rescale", "l1"},
    {"", "rescale", "false", "rescale", "none"},
    {"model_stock", "filter_wise", "true", "vectors", "rows"},
    {"model_stock", "filter_wise", "false", "vectors", "tensor"},
    {"nuslerp", "nuslerp_flatten", "true", "vectors", "tensor"},
    {"nuslerp", "nuslerp_flatten", "false", "vectors", "rows"},
    {"nuslerp", "nuslerp_row_wise", "true", "", ""},
    {"nuslerp", "nuslerp_row_wise", "false", "", ""},
};

BaseRole role_of(std::string_view method) {
  for (const RoleRow& row : kRoles) {
    if (row.method == method) return row.role;
  }
  return BaseRole::base;
}

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorCode::invalid_argument, "merge configuration: " + message); }

/// YAML's words for true and false.
std::string plain_word(const std::string& text) {
  constexpr std::string_view kTrue[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"};
  constexpr std::string_view kFalse[] = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"};
  if (std::find(std::begin(kTrue), std::end(kTrue), text) != std::end(kTrue)) return "true";
  if (std::find(std::begin(kFalse), std::end(kFalse), text) != std::end(kFalse)) return "false";
  return text;
}

/// The value of a gradient at t in [0, 1]; words change at the points.
std::string at_gradient(const std::vector<std::string>& points, double t, bool words) {
  if (points.size() == 1) return plain_word(points[0]);
  const double place = t * static_cast<double>(points.size() - 1);
  const auto low = static_cast<std::size_t>(place);
  if (words) return plain_word(points[low]);
  const auto from = parse_number(points[low]), to = parse_number(points[std::min(points.size() - 1, low + 1)]);
  if (!from || !to) return points[from ? std::min(points.size() - 1, low + 1) : low];  // refused as it stands
  const double share = place - static_cast<double>(low);
  return shortest_decimal((1 - share) * *from + share * *to);
}

}  // namespace

std::vector<std::string> MergePlan::models_of(const MergeConfig& config) {
  const BaseRole role = role_of(config.method);
  std::vector<std::string> models;
  bool listed = false;
  for (const ConfigSource& source : config.slices.front().sources) {
    if (std::find(models.begin(), models.end(), source.model) != models.end()) fail("model " + printable(source.model) + " is listed twice");
    const bool is_base = source.model == config.base_model;
    listed = listed || is_base;
    if (!is_base || role == BaseRole::model) models.push_back(source.model);
  }
  for (const ConfigSlice& slice : config.slices) {
    const auto same = [&](const ConfigSource& a, const ConfigSource& b) { return a.model == b.model; };
    if (!std::equal(slice.sources.begin(), slice.sources.end(), config.slices.front().sources.begin(), config.slices.front().sources.end(), same)) {
      fail("the slices have different models; dstore merges the same models in all of them");
    }
  }
  if (role == BaseRole::first) {
    if (config.base_model.empty()) fail(config.method + " needs a base_model, the model at t = 0");
    models.insert(models.begin(), config.base_model);
  }
  if (role == BaseRole::model && !config.base_model.empty() && !listed) {
    fail("method " + config.method + " has no base: list base_model among the models, or leave it out");
  }
  return models;
}

MergePlan::MergePlan(MergeConfig config, const std::vector<TensorInfo>& tensors)
    : config_(std::move(config)), method_(find_merge_method(config_.method)), role_(role_of(config_.method)), models_(models_of(config_)) {
  for (const TensorInfo& info : tensors) {
    const TensorPlace place = tensor_place(info.name);
    if (place.part == TensorPlace::Part::layer) layers_ = std::max(layers_, std::uint64_t{place.layer} + 1);
  }
  check_layers(layers_);
  std::set<std::string> names;
  const auto collect = [&](const ConfigSettings& settings) {
    for (const auto& [name, setting] : settings) names.insert(name);
  };
  collect(config_.parameters);
  for (const ConfigSlice& slice : config_.slices) {
    collect(slice.parameters);
    for (const ConfigSource& source : slice.sources) collect(source.parameters);
  }
  for (const std::string& name : names) {
    if (has_parameter(name) || find_merge_parameter("", name) == nullptr) parameters_.push_back(name);
    else notes_.push_back("parameter " + name + " is ignored: method " + config_.method + " has none");
  }
}

/// The slices must be the layers in their order, each from the same layer of every model.
void MergePlan::check_layers(std::uint64_t layers) const {
  std::uint64_t next = 0;
  for (const ConfigSlice& slice : config_.slices) {
    if (!slice.sources.front().layers) return;  // models
    const auto range = *slice.sources.front().layers;
    for (const ConfigSource& source : slice.sources) {
      if (*source.layers == range && range.first == next) continue;
      fail("layer_range [" + std::to_string(source.layers->first) + ", " + std::to_string(source.layers->second) + "] of " + printable(source.model) +
           " where layer " + std::to_string(next) + " is due: layers cannot be left out, repeated or moved, the result has those of the base");
    }
    next = range.second;
  }
  if (next != layers) fail("the slices have " + std::to_string(next) + " layers, the base has " + std::to_string(layers));
}

MergePlan::Place MergePlan::place_of(std::string_view tensor) const {
  const TensorPlace where = tensor_place(tensor);
  if (where.part != TensorPlace::Part::layer) return {where.part == TensorPlace::Part::embedding ? 0 : config_.slices.size() - 1, 0};
  for (std::size_t s = 0; s < config_.slices.size(); ++s) {
    const auto [first, end] = config_.slices[s].sources.front().layers.value_or(std::pair<std::uint64_t, std::uint64_t>{0, layers_});
    if (where.layer < first || where.layer >= end) continue;
    return {s, end - first == 1 ? 1.0 : static_cast<double>(where.layer - first) / static_cast<double>(end - first - 1)};
  }
  return {};
}

/// The value for the tensor: the model's own, the slice's, the global one.
std::optional<std::string> MergePlan::find(std::string_view parameter, std::string_view tensor, const Place& place, const std::string* model,
                                           bool words) const {
  const ConfigSlice& slice = config_.slices[place.slice];
  std::vector<const ConfigSettings*> scopes;
  for (const ConfigSource& source : slice.sources) {
    if (model != nullptr && source.model == *model) scopes.push_back(&source.parameters);
  }
  scopes.push_back(&slice.parameters);
  scopes.push_back(&config_.parameters);
  for (const ConfigSettings* scope : scopes) {
    const auto setting = scope->find(parameter);
    if (setting == scope->end()) continue;
    for (const ConfigValue& value : setting->second) {
      const bool every = value.filter.empty() || value.filter == "*";
      if (every || tensor.find(value.filter) != std::string_view::npos) return at_gradient(value.points, place.t, words);
    }
  }
  return std::nullopt;
}

bool MergePlan::varies() const {
  const auto varied = [](const ConfigSettings& settings) {
    return std::any_of(settings.begin(), settings.end(), [](const auto& setting) {
      return setting.second.size() != 1 || setting.second.front().points.size() != 1 || !setting.second.front().filter.empty();
    });
  };
  const ConfigSlice& slice = config_.slices.front();
  return config_.slices.size() > 1 || varied(config_.parameters) || varied(slice.parameters) ||
         std::any_of(slice.sources.begin(), slice.sources.end(), [&](const ConfigSource& source) { return varied(source.parameters); });
}

bool MergePlan::has_parameter(std::string_view name) const {
  return std::any_of(method_.parameters.begin(), method_.parameters.end(), [&](const auto& row) { return row.first == name; });
}

MergeSettings::Given MergePlan::given(std::string_view tensor) const {
  const Place place = place_of(tensor);
  MergeSettings::Given given;
  for (const auto& [name, value] : method_.parameters) {
    if (name == "rescale" || name == "elect") given["preset"] = {"mergekit"};
  }
  if (method_.name == "nuslerp") given["of"] = {config_.base_model.empty() ? "weights" : "differences"};
  for (const std::string& name : parameters_) {
    bool known = false;
    for (const Translation& row : kTranslations) {
      if (row.parameter != name || (!row.method.empty() && row.method != method_.name)) continue;
      known = true;
      const auto value = find(name, tensor, place, nullptr, true);
      if (value == row.word && !row.ours.empty()) given[std::string(row.ours)] = {std::string(row.our_word)};
    }
    if (known && name != "rescale") continue;
    const MergeParameter* parameter = find_merge_parameter(method_.name, name);
    if (parameter == nullptr || !parameter->per_model) {
      const auto value = find(name, tensor, place, nullptr, parameter == nullptr || !parameter->choices.empty());
      if (value && !(known && (*value == "true" || *value == "false"))) given[name] = {*value};
      else if (parameter == nullptr) given[name] = {""};  // refused by its name
      continue;
    }
    std::vector<std::string> values;
    for (const std::string& model : models_) {
      const auto fallback = std::find_if(method_.parameters.begin(), method_.parameters.end(), [&](const auto& row) { return row.first == name; });
      values.push_back(find(name, tensor, place, &model, false).value_or(fallback == method_.parameters.end() ? "" : std::string(fallback->second)));
    }
    given[name] = std::move(values);
  }
  const auto vectors = given.find("vectors");
  const bool rows = vectors != given.end() && vectors->second.front() == "rows";
  if (rows && find("nuslerp_row_wise", tensor, place, nullptr, true) == "true") vectors->second = {"columns"};
  return given;
}

std::optional<DType> calculated_in(const MergeConfig& config, const std::vector<TensorInfo>& tensors) {
  struct Row {
    std::string_view name;
    DType dtype;
  };
  constexpr Row kTypes[] = {{"float16", DType::f16}, {"bfloat16", DType::bf16}, {"float32", DType::f32}, {"float64", DType::f64}};
  const auto parse = [&](const char* key, const std::string& name) -> std::optional<DType> {
    if (name.empty()) return std::nullopt;
    for (const Row& row : kTypes) {
      if (row.name == name) return row.dtype;
    }
    fail(std::string(key) + " \"" + printable(name) + "\" is none of float16, bfloat16, float32, float64");
  };
  const auto dtype = parse("dtype", config.dtype), out = parse("out_dtype", config.out_dtype);
  const auto result = out ? out : dtype;
  bool wider = false;
  for (const TensorInfo& info : tensors) {
    if (!is_numeric(info.dtype)) continue;
    const DType own = info.dtype == DType::c64 ? DType::f32 : info.dtype;
    const std::string tensor = "tensor " + printable(info.name) + " is " + std::string(dtype_info(info.dtype).name);
    if (result && *result != own) {
      const std::string asked = out ? "out_dtype " + config.out_dtype : "dtype " + config.dtype;
      throw Error(ErrorCode::unsupported, "merge configuration: " + asked + ", but " + tensor + ": the result has the base's dtypes" + (out ? "" : "; give it as out_dtype to calculate in another"));
    }
    if (!dtype || *dtype == own) continue;
    if (*dtype != DType::f64 && !(*dtype == DType::f32 && own != DType::f64)) {
      throw Error(ErrorCode::unsupported, "merge configuration: dtype " + config.dtype + " does not have all values of " + tensor + "; leave dtype out");
    }
    wider = true;
  }
  return wider ? dtype : std::nullopt;
}

}  // namespace dstore::cli
