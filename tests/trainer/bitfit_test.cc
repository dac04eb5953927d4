// BitFit on bases that lack biases.
#include "catch.h"
#include "tests/trainer/message_of.h"
#include "tests/trainer/tiny_model.h"
#include "trainer/methods/method.h"

using namespace dstore;
using namespace dstore::test;

namespace {

/// The tiny model, its biases left out (`zeros`: there, but zero) where `chosen` says so.
template <typename Chosen>
MemoryTensors tiny_without(const Chosen& chosen, bool zeros) {
  const MemoryTensors base = tiny_bert(tiny_config());
  MemoryTensors out;
  for (std::size_t i = 0; i < base.tensors().size(); ++i) {
    const TensorInfo& info = base.tensors()[i];
    std::vector<std::byte> bytes(info.bytes);
    const bool bias = info.name.ends_with(".bias") && chosen(info.name);
    if (!bias) base.read(i, 0, bytes);
    if (!bias || zeros) out.add(info.name, info.dtype, info.shape, std::move(bytes));
  }
  return out;
}

bool any(const std::string&) { return true; }

ParameterTable match(const MemoryTensors& base, MissingBiases biases) { return match_parameters(base, tiny_config(), 3, "tiny", true, biases); }

Settings settings_of(const MethodRow& method, const std::vector<std::string>& set) { return {method.hyperparameters, method.presets, set}; }

Network network_of(const MemoryTensors& base, MissingBiases biases) { return {base, match(base, biases), {TaskKind::classification, 1, Device::cpu}}; }

Batch few(const TaskData& data) {
  const std::vector<std::uint32_t> rows{0, 1, 2, 3, 4, 5};
  return make_batch(data.train, rows, data.pad_id);
}

}  // namespace

TEST_CASE("a base without biases is refused, with the setting that adds them") {
  const MemoryTensors none = tiny_without(any, false);
  const std::string message = message_of([&] { (void)match(none, MissingBiases::refuse); });
  CHECK(message.find("LayerNorm.bias") != std::string::npos);
  CHECK(message.find("--method bitfit --set missing=add") != std::string::npos);
  const MethodRow& bitfit = find_method("bitfit");
  CHECK(!adds_missing_biases(settings_of(bitfit, {})));
  CHECK(adds_missing_biases(settings_of(bitfit, {"missing=add"})));
  CHECK(message_of([&] { (void)adds_missing_biases(settings_of(bitfit, {"missing=yes"})); }).find("refuse, add") != std::string::npos);
  CHECK(!adds_missing_biases(settings_of(find_method("full"), {})));
  const MemoryTensors no_weight = [&] {
    MemoryTensors out;
    const MemoryTensors base = tiny_bert(tiny_config());
    for (std::size_t i = 0; i < base.tensors().size(); ++i) {
      std::vector<std::byte> bytes(base.tensors()[i].bytes);
      base.read(i, 0, bytes);
      if (base.tensors()[i].name != "encoder.layer.0.output.dense.weight") out.add(base.tensors()[i].name, base.tensors()[i].dtype, base.tensors()[i].shape, bytes);
    }
    return out;
  }();
  CHECK(message_of([&] { (void)match(no_weight, MissingBiases::add); }).find("encoder.layer.0.output.dense.weight") != std::string::npos);
}

TEST_CASE("a method on a model without the tensors that it trains is refused") {
  ParameterTable table = match(tiny_bert(tiny_config()), MissingBiases::refuse);
  std::erase_if(table.parameters, [](const Parameter& p) { return role_info(p.role).kind == RoleKind::bias; });
  Network network(tiny_bert(tiny_config()), table, {TaskKind::classification, 1, Device::cpu});
  const MethodRow& bitfit = find_method("bitfit");
  for (const char* terms : {"all", "query-ffn"}) {
    const std::string message = message_of([&] { select_trainable(network, bitfit, settings_of(bitfit, {std::string("terms=") + terms})); });
    CHECK(message.find("--method bitfit: this model has no tensor of the kind that it trains") == 0);
  }
}

TEST_CASE("added biases begin as zeros, train with the others and stand under the names of the family") {
  const TaskData data = tiny_task();
  const auto of_ffn = [](const std::string& name) { return name.find("dense") != std::string::npos && name.find("attention") == std::string::npos; };
  for (const bool all : {true, false}) {
    const auto chosen = [&](const std::string& name) { return (all || of_ffn(name)) && !name.starts_with("pooler"); };
    const MemoryTensors lacking = tiny_without(chosen, false), zeroed = tiny_without(chosen, true);
    Network added = network_of(lacking, MissingBiases::add), given = network_of(zeroed, MissingBiases::refuse);
    CHECK(added.logits(few(data)) == given.logits(few(data)));
    CHECK(added.table().parameters.size() == given.table().parameters.size());
    std::uint64_t extra = 0;
    for (const Parameter& p : added.parameters()) extra += !p.source && !p.is_head ? p.count : 0;
    CHECK(extra > 0);
    CHECK(added.table().body_elements() + extra == given.table().body_elements());

    const MethodRow& bitfit = find_method("bitfit");
    const Settings settings = settings_of(bitfit, {"missing=add"});
    MethodOptions options;
    options.lr = options.head_lr = 1e-2;
    std::vector<std::vector<float>> results;
    for (Network* network : {&added, &given}) {
      select_trainable(*network, bitfit, settings);
      const auto training = bitfit.start(*network, options, settings);
      training->begin_phase(0);
      for (long step = 0; step < 3; ++step) {
        network->loss_and_gradients(few(data), static_cast<std::uint32_t>(step));
        training->step({step, step, 3});
      }
      results.push_back(network->logits(few(data)));
      CHECK(training->selected() == 2 * (4 * 12 + 20 + 12 + 2 * 12) + 12 + 12);
    }
    for (std::size_t i = 0; i < results[0].size(); ++i) CHECK(results[0][i] == Approx(results[1][i]).epsilon(1e-5).margin(1e-6));
    for (std::size_t i = 0; i < added.parameters().size(); ++i) {
      const Parameter& p = added.parameters()[i];
      if (p.source || p.is_head) continue;
      CHECK(p.name == "bert." + tensor_name(*find_family("bert"), p.role, p.layer));
      CHECK(p.trainable);
    }
  }
}
