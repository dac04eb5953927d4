#include <algorithm>
#include <array>
#include <cmath>

#include "base/bytes.h"
#include "dstore/error.h"
#include "trainer/methods/method.h"

namespace dstore {
namespace {

bool trains_all(const Parameter&, const ParameterTable&, const Settings&) { return true; }

bool trains_bias(const Parameter& p, const ParameterTable&, const Settings&) { return role_info(p.role).kind == RoleKind::bias; }

bool trains_last_layer(const Parameter& p, const ParameterTable& table, const Settings& settings) {
  const RolePart part = role_info(p.role).part;
  if (part == RolePart::pooler) return settings.yes("pooler");
  return part == RolePart::layer && p.layer >= table.config.layers - std::lround(settings.number("layers", 1, 1024));
}

bool trains_pooler_if_asked(const Parameter& p, const ParameterTable&, const Settings& settings) {
  return role_info(p.role).part == RolePart::pooler && settings.yes("pooler");
}

constexpr std::array kLastLayer = {
    Hyperparameter{"layers", "1", "how many of the last encoder layers train"},
    Hyperparameter{"pooler", "yes", "yes, no: whether the pooler trains with them"},
};
constexpr std::array kHead = {
    Hyperparameter{"pooler", "no", "yes, no: whether the pooler trains with the head"},
};

const std::array kMethods = {
    MethodRow{"full", "fine-tuning of every weight", {}, {}, 2e-4, 1e-3, 0.06, 0, trains_all, one_phase, start_dense},
    MethodRow{"bitfit", "bias terms only (Ben Zaken, Goldberg, Ravfogel 2022)", {}, {}, 3e-3, 3e-3, 0.06, 0, trains_bias, one_phase,
              start_dense},
    MethodRow{"last-layer", "the last encoder layer and the pooler", kLastLayer, {}, 1e-3, 1e-3, 0.06, 0, trains_last_layer, one_phase,
              start_dense},
    MethodRow{"head", "the new classifier on the frozen encoder", kHead, {}, 1e-2, 1e-2, 0.06, 0, trains_pooler_if_asked, one_phase,
              start_dense},
    MethodRow{"diff-pruning", "a sparse difference found with hard-concrete gates, then trained (Guo, Rush, Kim 2021)",
              kDiffPruningHyperparameters, kDiffPruningPresets, 3e-4, 1e-3, 0, 0.005, trains_all, diff_pruning_phases,
              start_diff_pruning},
};

}  // namespace

std::span<const MethodRow> methods() { return kMethods; }

const MethodRow& find_method(std::string_view name) {
  std::string names;
  for (const MethodRow& row : kMethods) {
    if (row.name == name) return row;
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  throw Error(ErrorCode::invalid_argument, "no method \"" + printable(name) + "\" (" + names + ")");
}

void select_trainable(Network& network, const MethodRow& method, const Settings& settings) {
  const ParameterTable& table = network.table();
  for (std::size_t i = 0; i < table.parameters.size(); ++i) {
    const Parameter& p = table.parameters[i];
    const bool unused = table.config.pooling == Pooling::mean && role_info(p.role).part == RolePart::pooler;
    network.set_trainable(i, !unused && (p.is_head || method.trains(p, table, settings)));
  }
}

std::vector<PhaseName> one_phase(const Settings&) { return {{"train", 1}}; }

}  // namespace dstore
