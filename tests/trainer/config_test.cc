#include "trainer/model/config.h"

#include <nlohmann/json.hpp>

#include "catch.h"
#include "dstore/error.h"
#include "tests/trainer/message_of.h"
#include "tests/trainer/tiny_model.h"

using namespace dstore;

namespace {

nlohmann::json good() {
  return {{"model_type", "bert"}, {"vocab_size", 61}, {"hidden_size", 12}, {"num_hidden_layers", 2}, {"num_attention_heads", 3},
          {"intermediate_size", 20}, {"max_position_embeddings", 16}, {"type_vocab_size", 2}, {"hidden_act", "gelu"}};
}

std::string refusal(const nlohmann::json& config) {
  try {
    ModelConfig::parse(config.dump(), "folder x");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

nlohmann::json with(const char* key, nlohmann::json value) {
  auto config = good();
  config[key] = std::move(value);
  return config;
}

}  // namespace

TEST_CASE("a BERT config is read, with transformers' defaults") {
  const ModelConfig config = ModelConfig::parse(good().dump(), "x");
  CHECK(config.hidden == 12);
  CHECK(config.hidden_dropout == 0.1);
  CHECK(config.classifier_dropout == 0.1);
  CHECK(config.norm_epsilon == 1e-12);
  CHECK(ModelConfig::parse(with("classifier_dropout", 0.3).dump(), "x").classifier_dropout == 0.3);
}

TEST_CASE("what cannot be computed is refused, naming the model and what can") {
  CHECK(refusal(with("model_type", "gpt2")).find("supported: bert") != std::string::npos);
  CHECK(refusal(with("hidden_act", "mish")).find("gelu_new") != std::string::npos);
  CHECK(refusal(with("position_embedding_type", "relative_key")).find("absolute") != std::string::npos);
  CHECK(refusal(with("is_decoder", true)).find("is_decoder") != std::string::npos);
  CHECK(refusal(with("hidden_size", 13)).find("multiple") != std::string::npos);
  CHECK(refusal(with("hidden_size", -12)).find("range") != std::string::npos);
  CHECK(refusal(with("vocab_size", "many")).find("vocab_size") != std::string::npos);
  CHECK(refusal(with("layer_norm_eps", "small")).find("layer_norm_eps") != std::string::npos);
  CHECK(refusal(nlohmann::json::array()).find("folder x") != std::string::npos);
  CHECK(refusal(good()).empty());
}

TEST_CASE("tensors are found with and without the prefix, and missing ones are named") {
  const ModelConfig config = test::tiny_config();
  const test::MemoryTensors bare = test::tiny_bert(config);
  const ParameterTable table = match_parameters(bare, config, 3, "tiny");
  CHECK(table.base_prefix == "bert.");
  CHECK(table.parameters.back().name == "classifier.bias");
  CHECK(table.body_elements() == 61 * 12 + 16 * 12 + 2 * 12 + 24 + 2 * (4 * (144 + 12) + 24 + 240 + 20 + 240 + 12 + 24) + 144 + 12);

  test::MemoryTensors prefixed, partial;
  for (std::size_t i = 0; i < bare.tensors().size(); ++i) {
    const TensorInfo& info = bare.tensors()[i];
    std::vector<std::byte> bytes(info.bytes);
    bare.read(i, 0, bytes);
    prefixed.add("bert." + info.name, info.dtype, info.shape, bytes);
    if (info.name != "encoder.layer.1.output.dense.bias" && !info.name.starts_with("pooler")) partial.add(info.name, info.dtype, info.shape, bytes);
  }
  CHECK(match_parameters(prefixed, config, 3, "tiny").base_prefix.empty());
  CHECK(test::message_of([&] { (void)match_parameters(partial, config, 3, "tiny"); }).find("encoder.layer.1.output.dense.bias") != std::string::npos);
  ModelConfig wider = config;
  wider.intermediate = 21;
  CHECK(test::message_of([&] { (void)match_parameters(bare, wider, 3, "tiny"); }).find("[20") != std::string::npos);
}
