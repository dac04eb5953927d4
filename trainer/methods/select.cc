// Selective modules: whole tensors train, those that a selector names.
#include <array>

#include "trainer/methods/method.h"

namespace dstore {
namespace {

using Value = std::pair<std::string_view, std::string_view>;
constexpr std::array kKeys = {
    Hyperparameter{"train", "layer-norm", "which tensors train; as --train SELECTOR (docs/training.md)"},
    Hyperparameter{"lr", "", "learning rate; as --lr"},
};
constexpr std::array kLayerNorm = {Value{"train", "layer-norm"}, Value{"lr", "1e-3"}};
constexpr std::array kBias = {Value{"train", "bias"}, Value{"lr", "1e-3"}};
constexpr std::array kBitFitSubset = {Value{"train", "attn.q.b,ffn.in.b"}, Value{"lr", "1e-3"}};
constexpr std::array kAttention = {Value{"train", "attention"}, Value{"lr", "1e-4"}};
constexpr std::array kFeedForward = {Value{"train", "feed-forward"}, Value{"lr", "1e-4"}};
constexpr std::array kLastLayer = {Value{"train", "layer[-1],pooler"}, Value{"lr", "1e-3"}};
constexpr std::array kRandomModules = {Value{"train", "random:p=0.25,unit=module"}, Value{"lr", "2e-4"}};
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
