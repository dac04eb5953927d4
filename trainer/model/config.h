#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dstore {

enum class Activation { gelu, gelu_tanh, relu, silu };

/// How a sequence becomes one vector: the first token through dense + tanh (as transformers does), or the mean of the
/// last hidden states over the tokens that are not padding.
enum class Pooling { first_token, mean };

/// What an encoder's config.json says, as far as the computation needs it.
struct ModelConfig {
  std::string model_type;
  std::int64_t vocabulary = 0;
  std::int64_t hidden = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t intermediate = 0;
  std::int64_t positions = 0;
  std::int64_t token_types = 0;
  std::int64_t pad_id = 0;
  double norm_epsilon = 1e-12;
  double hidden_dropout = 0;
  double attention_dropout = 0;
  double classifier_dropout = 0;
  double initializer_range = 0.02;
  Activation activation = Activation::gelu;
  Pooling pooling = Pooling::first_token;

  /// Error{unsupported} for a model type, activation or position embedding this build cannot run (naming those it can),
  /// {invalid_argument} for missing, malformed or contradictory values. `where` names the model.
  static ModelConfig parse(std::string_view config_json, std::string_view where);
};

std::string_view pooling_name(Pooling pooling);
/// Error{invalid_argument} that lists the names.
Pooling parse_pooling(std::string_view name);

}  // namespace dstore
