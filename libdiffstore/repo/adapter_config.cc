#include "repo/adapter_config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/bytes.h"
#include "base/decimal.h"
#include "dstore/error.h"
#include "repo/key_pattern.h"

namespace dstore {
namespace {

using Value = nlohmann::ordered_json;
constexpr std::uint64_t kMaxRank = 1 << 20;

/// Fields that say nothing about the weights, or are read below.
constexpr std::string_view kKnown[] = {
    "peft_type", "r", "lora_alpha", "use_rslora", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "base_model_name_or_path", "bias",
    "init_lora_weights", "auto_mapping", "ensure_weight_tying", "eva_config", "exclude_modules", "inference_mode", "init_weights", "layers_pattern", "layers_to_transform",
    "lora_dropout", "loftq_config", "mask_type", "megatron_config", "megatron_core", "modules_to_save", "peft_version", "qalora_group_size", "random_seed",
    "revision", "runtime_config", "target_modules", "task_type"};

/// Fields that must not be set, and what they would mean.
constexpr std::pair<std::string_view, std::string_view> kRefused[] = {
    {"use_dora", "DoRA"}, {"lora_bias", "LoRA with biases of its own"}, {"layer_replication", "repeated layers"},
    {"trainable_token_indices", "trained tokens"}, {"target_parameters", "LoRA on single parameters"}, {"use_qalora", "QALoRA"},
    {"use_bdlora", "block-diagonal LoRA"}, {"arrow_config", "Arrow"}, {"kasa_config", "KaSA"}, {"monteclora_config", "MonteCLoRA"},
    {"alora_invocation_tokens", "activated LoRA"}, {"corda_config", "CorDA, which changes the base"}, {"lora_ga_config", "LoRA-GA, which changes the base"},
    {"velora_config", "VeLoRA"}};

bool is_unset(const Value& value) { return value.is_null() || value == false || ((value.is_object() || value.is_array()) && value.empty()); }

[[noreturn]] void refuse(std::string_view what, const std::string& field, std::string_view why) {
  throw Error(ErrorCode::unsupported, std::string(what) + ": \"" + printable(field) + "\": " + std::string(why) +
                                          "; merge the adapter with PEFT (merge_and_unload) and commit the merged folder");
}

[[noreturn]] void fail(std::string_view what, const std::string& field, const char* wanted) {
  throw Error(ErrorCode::corrupt, std::string(what) + ": \"" + printable(field) + "\" is not " + wanted);
}

void check_fields(const Value& json, std::string_view what) {
  for (const auto& [field, value] : json.items()) {
    if (std::find(std::begin(kKnown), std::end(kKnown), field) != std::end(kKnown) || is_unset(value)) continue;
    const auto refused = std::find_if(std::begin(kRefused), std::end(kRefused), [&](const auto& row) { return row.first == field; });
    if (refused == std::end(kRefused)) refuse(what, field, "a setting that this version does not know");
    refuse(what, field, std::string(refused->second) + " cannot become plain weights here");
  }
}

/// Initialisations that leave the base as it is; the others move a part of it into the factors.
void check_initialisation(const Value& json, std::string_view what) {
  const auto found = json.find("init_lora_weights");
  if (found == json.end() || found->is_boolean() || found->is_null()) return;
  for (const char* name : {"gaussian", "orthogonal", "eva"}) {
    if (*found == name) return;
  }
  refuse(what, "init_lora_weights", "this initialisation changes the base too");
}

bool flag(const Value& json, const char* field, std::string_view what) {
  const auto found = json.find(field);
  if (found == json.end() || found->is_null()) return false;
  if (!found->is_boolean()) fail(what, field, "true or false");
  return found->get<bool>();
}

std::uint64_t rank(const Value& value, const std::string& field, std::string_view what) {
  if (!value.is_number_integer() || value <= 0 || value > kMaxRank) fail(what, field, "a rank");
  return value.get<std::uint64_t>();
}

double number(const Value& value, const std::string& field, std::string_view what) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) fail(what, field, "a number");
  return value.get<double>();
}

template <typename Read>
auto pattern(const Value& json, const char* field, std::string_view what, const Read& read) {
  std::vector<std::pair<std::string, decltype(read(json, field, what))>> out;
  const auto found = json.find(field);
  if (found == json.end() || found->is_null()) return out;
  if (!found->is_object()) fail(what, field, "an object");
  for (const auto& [key, value] : found->items()) out.emplace_back(key, read(value, field, what));
  return out;
}

template <typename Number>
std::optional<Number> first_match(const std::vector<std::pair<std::string, Number>>& patterns, std::string_view module) {
  for (const auto& [key, value] : patterns) {
    if (matches_module(key, module)) return value;
  }
  return std::nullopt;
}

}  // namespace

std::uint64_t AdapterConfig::rank_of(std::string_view module) const { return first_match(rank_pattern, module).value_or(rank); }

float AdapterConfig::scale_of(std::string_view module) const {
  const auto r = static_cast<double>(rank_of(module));
  return static_cast<float>(first_match(alpha_pattern, module).value_or(alpha) / (rslora ? std::sqrt(r) : r));
}

std::map<std::string, std::string> AdapterConfig::facts() const {
  const char* method = kind == Kind::shira ? "shira" : rslora ? "rslora" : "lora";
  std::map<std::string, std::string> out{{"adapter", "peft"}, {"method", method}, {"rank", std::to_string(rank)}};
  if (kind == Kind::lora) out["alpha"] = shortest_decimal(alpha);
  return out;
}

AdapterConfig parse_adapter_config(std::string_view text, std::string_view what) {
  const Value json = Value::parse(text, nullptr, false);
  if (!json.is_object()) throw Error(ErrorCode::corrupt, std::string(what) + ": not a JSON object");
  const auto type = json.find("peft_type");
  if (type == json.end() || !type->is_string()) fail(what, "peft_type", "there");
  AdapterConfig out;
  if (*type == "SHIRA") {
    out.kind = AdapterConfig::Kind::shira;
  } else if (*type != "LORA") {
    refuse(what, "peft_type", "adapters of the type " + printable(type->get<std::string>()) + " are not known here (LORA and SHIRA are)");
  }
  check_fields(json, what);
  check_initialisation(json, what);
  const auto bias = json.find("bias");
  if (bias != json.end() && !bias->is_null() && *bias != "none") refuse(what, "bias", "trained biases are not supported");
  if (!json.contains("r")) fail(what, "r", "there");
  out.rank = rank(json["r"], "r", what);
  out.rslora = flag(json, "use_rslora", what);
  out.fan_in_fan_out = flag(json, "fan_in_fan_out", what);
  out.rank_pattern = pattern(json, "rank_pattern", what, rank);
  out.alpha_pattern = pattern(json, "alpha_pattern", what, number);
  if (out.kind == AdapterConfig::Kind::lora) {
    if (!json.contains("lora_alpha")) fail(what, "lora_alpha", "there");
    out.alpha = number(json["lora_alpha"], "lora_alpha", what);
  }
  return out;
}

}  // namespace dstore
