// Selective modules: whole tensors train, those that a selector names.
#include <array>

#include "trainer/methods/method.h"

namespace dstore {
namespace {

constexpr std::array kKeys = {
    Hyperparameter{"train", "layer-norm", "which tensors train; as --train SELECTOR (docs/training.md)"},
    Hyperparameter{"lr", "", "learning rate; as --lr"},
};
constexpr std::array kLayerNorm = {PresetValue{"train", "layer-norm"}, PresetValue{"lr", "1e-3"}};
constexpr std::array kBias = {PresetValue{"train", "bias"}, PresetValue{"lr", "1e-3"}};
constexpr std::array kBitFitSubset = {PresetValue{"train", "attn.q.b,ffn.in.b"}, PresetValue{"lr", "1e-3"}};
constexpr std::array kAttention = {PresetValue{"train", "attention"}, PresetValue{"lr", "1e-4"}};
constexpr std::array kFeedForward = {PresetValue{"train", "feed-forward"}, PresetValue{"lr", "1e-4"}};
constexpr std::array kLastLayer = {PresetValue{"train", "layer[-1],pooler"}, PresetValue{"lr", "1e-3"}};
constexpr std::array kRandomModules = {PresetValue{"train", "random:p=0.25,unit=module"}, PresetValue{"lr", "2e-4"}};
constexpr std::array kPresets = {
    Preset{"layer-norm", "weights and biases of the layer norms (the default)", kLayerNorm},
    Preset{"bias", "every bias, as BitFit", kBias},
    Preset{"bitfit-subset", "biases of the queries and of the FFN's first layer, as BitFit's smaller variant", kBitFitSubset},
    Preset{"attention", "queries, keys, values and the output of attention", kAttention},
    Preset{"ffn", "both linear layers of the FFNs", kFeedForward},
    Preset{"last-layer", "the last encoder layer and the pooler", kLastLayer},
    Preset{"random-modules", "a quarter of the encoder's modules, drawn at random", kRandomModules},
};

}  // namespace

MethodRow select_method() {
  return {"select", "the tensors that --train names, whole", kKeys, kPresets, 1e-3, 3e-3, 0.06, 0, 3, trains_setting, one_phase, start_dense};
}

}  // namespace dstore
