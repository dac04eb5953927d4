#include <array>
#include <cmath>

#include "dstore/error.h"
#include "trainer/methods/method.h"
#include "trainer/methods/selector.h"

namespace dstore {
namespace {

std::string trains_all(const Settings&) { return "*"; }

constexpr std::string_view kMissing = "missing";

std::string trains_bias(const Settings& settings) { return settings.word("terms", {"all", "query-ffn"}) == "all" ? "bias" : "attn.q.b,ffn.in.b"; }

std::string trains_last_layer(const Settings& settings) {
  const long layers = std::lround(settings.number("layers", 1, 1024));
  return "layer[-" + std::to_string(layers) + ":]" + (settings.yes("pooler") ? ",pooler" : "");
}

std::string trains_pooler_if_asked(const Settings& settings) { return settings.yes("pooler") ? "pooler" : ""; }

constexpr std::array kBitFit = {
    Hyperparameter{"terms", "all", "all, query-ffn: only those of the queries and of the FFN's first layer"},
    Hyperparameter{kMissing, "refuse", "refuse, add: a bias that the base lacks begins as zeros, trains and is stored"},
    Hyperparameter{"lr", "", "learning rate; as --lr"},
};
constexpr std::array kBitFitPaper = {PresetValue{"lr", "1e-3"}};
constexpr std::array kBitFitPresets = {
    Preset{"paper", "the paper's rate for BERT; with --epochs 16 --batch 8 --warmup 0 --schedule constant", kBitFitPaper},
};
constexpr std::array kLastLayer = {
    Hyperparameter{"layers", "1", "how many of the last encoder layers train"},
    Hyperparameter{"pooler", "yes", "yes, no: whether the pooler trains with them"},
};
constexpr std::array kHead = {
    Hyperparameter{"pooler", "no", "yes, no: whether the pooler trains with the head"},
};

const std::array kMethods = {
    MethodRow{"full", "fine-tuning of every weight", {}, {}, 2e-4, 1e-3, 0.06, 0, 3, trains_all, one_phase, start_dense},
    MethodRow{"bitfit", "bias terms only (Ben Zaken, Goldberg, Ravfogel 2022)", kBitFit, kBitFitPresets, 3e-3, 3e-3, 0.06, 0, 3, trains_bias,
              one_phase, start_dense},
    MethodRow{"last-layer", "the last encoder layer and the pooler", kLastLayer, {}, 1e-3, 1e-3, 0.06, 0, 3, trains_last_layer, one_phase,
              start_dense},
    MethodRow{"head", "the new classifier on the frozen encoder (--lr and --head-lr are one)", kHead, {}, 1e-2, 1e-2, 0.06, 0, 3,
              trains_pooler_if_asked, one_phase, start_dense},
    select_method(),
    diff_pruning_method(),
    fish_method(),
    lt_sft_method(),
    masking_method(),
    far_method(),
    top_k_method(),
    random_mask_method(),
};

}  // namespace

std::span<const MethodRow> methods() { return kMethods; }

const MethodRow& find_method(std::string_view name) {
  std::vector<std::string> names;
  for (const MethodRow& row : kMethods) {
    if (row.name == name) return row;
    names.emplace_back(row.name);
  }
  throw Error(ErrorCode::invalid_argument, unknown_name("method", std::string(name), names));
}

void select_trainable(Network& network, const MethodRow& method, const Settings& settings) {
  const ParameterTable& table = network.table();
  const std::string_view own = settings.all().contains("train") ? std::string_view() : method.name;
  const std::vector<bool> selected = select_parameters(table, method.trains(settings), own);
  for (std::size_t i = 0; i < table.parameters.size(); ++i) {
    const Parameter& p = table.parameters[i];
    const bool unused = table.config.pooling == Pooling::mean && role_info(p.role).part == RolePart::pooler;
    network.set_trainable(i, !unused && (p.is_head || selected[i]));
  }
}

bool adds_missing_biases(const Settings& settings) {
  const std::string key(kMissing);
  return settings.all().contains(key) && settings.word(key, {"refuse", "add"}) == "add";
}

std::vector<PhaseName> one_phase(const Settings&) { return {{"train", 1}}; }

std::string trains_setting(const Settings& settings) { return settings.text("train"); }

}  // namespace dstore
