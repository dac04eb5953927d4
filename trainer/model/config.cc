#include "trainer/model/config.h"

#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/bytes.h"
#include "dstore/error.h"
#include "trainer/model/family.h"

namespace dstore {
namespace {

using nlohmann::json;

struct ActivationName {
  std::string_view name;
  Activation activation;
};
constexpr std::array kActivations = {
    ActivationName{"gelu", Activation::gelu},           ActivationName{"gelu_new", Activation::gelu_tanh},
    ActivationName{"gelu_pytorch_tanh", Activation::gelu_tanh}, ActivationName{"relu", Activation::relu},
    ActivationName{"silu", Activation::silu},           ActivationName{"swish", Activation::silu},
};

/// Typed access to one config; every message names the model and the key.
class ConfigReader {
 public:
  ConfigReader(const json& root, std::string_view where) : root_(root), where_(where) {}

  [[noreturn]] void fail(ErrorCode code, const std::string& message) const {
    throw Error(code, where_ + ": config.json: " + message);
  }
  std::int64_t size(const char* key, std::int64_t low, std::int64_t high) const {
    const auto it = root_.find(key);
    if (it == root_.end() || !it->is_number_integer()) fail(ErrorCode::invalid_argument, std::string(key) + " is missing or not an integer");
    const auto value = it->get<std::int64_t>();
    if (value < low || value > high) fail(ErrorCode::invalid_argument, std::string(key) + " is " + std::to_string(value) + ", out of range");
    return value;
  }
  double number(const char* key, double fallback, double low, double high) const {
    const auto it = root_.find(key);
    if (it == root_.end() || it->is_null()) return fallback;
    if (!it->is_number()) fail(ErrorCode::invalid_argument, std::string(key) + " is not a number");
    const auto value = it->get<double>();
    if (!(value >= low && value <= high)) fail(ErrorCode::invalid_argument, std::string(key) + " is out of range");
    return value;
  }
  std::string text(const char* key, std::string fallback) const {
    const auto it = root_.find(key);
    if (it == root_.end() || it->is_null()) return fallback;
    if (!it->is_string()) fail(ErrorCode::invalid_argument, std::string(key) + " is not a string");
    return it->get<std::string>();
  }

 private:
  const json& root_;
  std::string where_;
};

Activation parse_activation(const ConfigReader& reader, const std::string& name) {
  std::string known;
  for (const ActivationName& row : kActivations) {
    if (row.name == name) return row.activation;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  reader.fail(ErrorCode::unsupported, "hidden_act \"" + printable(name) + "\" is not supported (supported: " + known + ")");
}

}  // namespace

ModelConfig ModelConfig::parse(std::string_view config_json, std::string_view where) {
  const json root = json::parse(config_json, nullptr, /*allow_exceptions=*/false);
  const ConfigReader reader(root, where);
  if (!root.is_object()) reader.fail(ErrorCode::invalid_argument, "not a JSON object");

  ModelConfig config;
  config.model_type = reader.text("model_type", "");
  if (!find_family(config.model_type)) {
    reader.fail(ErrorCode::unsupported, "model_type \"" + printable(config.model_type) +
                                            "\" cannot be trained (supported: " + family_names() + ")");
  }
  const std::string position = reader.text("position_embedding_type", "absolute");
  if (position != "absolute") {
    reader.fail(ErrorCode::unsupported, "position_embedding_type \"" + printable(position) + "\" is not supported (supported: absolute)");
  }
  if (root.value("is_decoder", json(false)) == json(true)) reader.fail(ErrorCode::unsupported, "is_decoder is not supported");
  config.activation = parse_activation(reader, reader.text("hidden_act", "gelu"));

  constexpr std::int64_t kMost = std::int64_t{1} << 24;
  config.vocabulary = reader.size("vocab_size", 1, kMost);
  config.hidden = reader.size("hidden_size", 1, kMost);
  config.layers = reader.size("num_hidden_layers", 1, 1024);
  config.heads = reader.size("num_attention_heads", 1, kMost);
  config.intermediate = reader.size("intermediate_size", 1, kMost);
  config.positions = reader.size("max_position_embeddings", 1, kMost);
  config.token_types = reader.size("type_vocab_size", 1, kMost);
  if (config.hidden % config.heads != 0) {
    reader.fail(ErrorCode::invalid_argument, "hidden_size is not a multiple of num_attention_heads");
  }
  config.pad_id = root.contains("pad_token_id") && root["pad_token_id"].is_number_integer() ? root["pad_token_id"].get<std::int64_t>() : -1;
  config.norm_epsilon = reader.number("layer_norm_eps", 1e-12, 0, 1);
  config.hidden_dropout = reader.number("hidden_dropout_prob", 0.1, 0, 0.99);
  config.attention_dropout = reader.number("attention_probs_dropout_prob", 0.1, 0, 0.99);
  config.classifier_dropout = reader.number("classifier_dropout", config.hidden_dropout, 0, 0.99);
  config.initializer_range = reader.number("initializer_range", 0.02, 0, 1);
  // Written by dstore into the config of a task that was trained with another pooling than transformers' own.
  config.pooling = parse_pooling(reader.text("dstore_pooling", "first-token"));
  return config;
}

std::string_view pooling_name(Pooling pooling) { return pooling == Pooling::mean ? "mean" : "first-token"; }

Pooling parse_pooling(std::string_view name) {
  if (name == "first-token") return Pooling::first_token;
  if (name == "mean") return Pooling::mean;
  throw Error(ErrorCode::invalid_argument, "unknown pooling \"" + printable(name) + "\" (first-token, mean)");
}

}  // namespace dstore
