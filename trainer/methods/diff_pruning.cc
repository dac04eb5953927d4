// Diff pruning (Guo, Rush, Kim 2021): train a gated difference, project it onto the L0 ball, train what is left. What
// the reference code does differently is deliberate here: the projection takes the expected difference, not the last
// sample; the third stage starts at it, unless mask_init=w; one draw of the noise serves one optimiser step; clipping takes effect.
#include <array>
#include <cmath>

#include "base/decimal.h"
#include "dstore/error.h"
#include "trainer/methods/gate_phase.h"
#include "trainer/methods/masked_training.h"

namespace dstore {
namespace {

constexpr std::array kKeys = {
    Hyperparameter{"structure", "matrix", "none, matrix: one more gate for each tensor (structured diff pruning)"},
    Hyperparameter{"alpha_init", "3", "initial gate parameter; 5 opens 99.3 % of the gates, 3 95.3 %"},
    Hyperparameter{"gate_lr", "0.1", "learning rate of the gates (constant)"},
    Hyperparameter{"gate_eps", "1e-8", "epsilon of the gates' Adam: larger ones slow down gates without a gradient"},
    Hyperparameter{"lambda", "1.9e-6", "weight of the L0 penalty per gate; or joined by commas: of the embeddings, each layer and the rest"},
    Hyperparameter{"l0", "sum", "sum, product: penalise each gate by itself (published code), or each weight's two gates together (paper)"},
    Hyperparameter{"mask_init", "delta",
                   "delta, w: what the selected entries start from, the expected difference or w without its gates (published code)"},
    kMaskLrSetting,
    kMaskShareSetting,
    Hyperparameter{"lr", "", "learning rate of the differences; as --lr"},
};
constexpr std::array kShort = {PresetValue{"alpha_init", "3"}, PresetValue{"lambda", "1.9e-6"}, PresetValue{"lr", "3e-4"},
                               PresetValue{"mask_lr", "1e-3"}};
constexpr std::array kPaper = {PresetValue{"alpha_init", "5"}, PresetValue{"lambda", "1.25e-7"}, PresetValue{"lr", "1e-5"},
                               PresetValue{"mask_lr", "5e-5"}};
constexpr std::array kPresets = {
    Preset{"short", "for runs of some hundred steps on small models (the defaults)", kShort},
    Preset{"paper", "the paper's values for BERT-large, 3 + 3 epochs with batches of 8", kPaper},
};

class DiffPruning : public MaskedTraining {
 public:
  DiffPruning(Network& network, const MethodOptions& options, const Settings& settings) : MaskedTraining(network, options, mask_settings(settings)) {
    gates_.groups = settings.word("structure", {"none", "matrix"}) == "matrix";
    gates_.alpha_init = settings.number("alpha_init", -20, 20);
    gates_.gate_lr = settings.number("gate_lr", 0, 1e3);
    gates_.gate_epsilon = settings.number("gate_eps", 0, 1);
    gates_.penalties = settings.numbers("lambda", 0, 1e3);
    gates_.product = settings.word("l0", {"sum", "product"}) == "product";
    start_at_delta_ = settings.word("mask_init", {"delta", "w"}) == "delta";
    const auto layers = static_cast<std::size_t>(network.table().config.layers), given = gates_.penalties.size();
    if (given != 1 && given != layers + 2) {
      throw Error(ErrorCode::invalid_argument, "--set: lambda has " + std::to_string(given) + " numbers; this model takes one, or " +
                                                   std::to_string(layers + 2) + ": of the embeddings, " + std::to_string(layers) +
                                                   " layers and the rest");
    }
    if (gates_.product && !gates_.groups) throw Error(ErrorCode::invalid_argument, "--set: l0=product needs the gates of structure=matrix");
  }

  void begin_phase(std::size_t phase) override {
    if (phase == 0) {
      begin_search();
      start_gates();
      return;
    }
    for (const Reading& reading : gate_phase_->readings()) {
      if (reading.name == "mean_open") facts_["gate_mean_open"] = shortest_decimal(std::round(reading.value * 1e6) / 1e6);
      if (reading.name == "nonzero") facts_["gate_nonzero"] = std::to_string(std::llround(reading.value * static_cast<double>(body_elements())));
    }
    GatePhase::Projection projection = gate_phase_->project(count(), start_at_delta_);
    if (projection.size() != count()) {
      throw Error(ErrorCode::invalid_argument, "the differences are not finite after the first stage: try a lower --lr; nothing is staged");
    }
    facts_["filled"] = std::to_string(projection.filled);
    facts_["filled_by_w"] = std::to_string(projection.filled_by_w);
    facts_["filled_by_gradient"] = std::to_string(projection.filled_by_gradient);
    gate_phase_->restore_base();
    network_.values_changed();
    gate_phase_.reset();
    if (projection.filled > 0) {
      options_.warn("only " + std::to_string(count() - projection.filled) + " of " + std::to_string(count()) +
                    " entries had an open gate after the first stage; the rest was filled by |w| and |gradient| "
                    "(fewer steps, a smaller lambda or a smaller density avoid this)");
    }
    train_selection(std::move(projection));
  }

  std::vector<Reading> readings() const override { return gate_phase_ ? gate_phase_->readings() : std::vector<Reading>{}; }

 protected:
  void search_step(const StepInfo& info, double factor) override { gate_phase_->step(info, *head_, factor); }
  void exchange_search(StateArchive& archive) override {
    if (archive.reading()) start_gates();
    head_->exchange_state(archive);
    gate_phase_->exchange_state(archive);
  }

 private:
  void start_gates() {
    head_.emplace(network_, head_indices_, options_);
    gate_phase_ = std::make_unique<GatePhase>(network_, options_, gates_);
  }

  GateSettings gates_;
  bool start_at_delta_ = true;
  std::unique_ptr<GatePhase> gate_phase_;
};

std::vector<PhaseName> phases(const Settings& settings) {
  const double mask = mask_share(settings);
  return {{"gates", 1 - mask}, {"mask", mask}};
}

std::unique_ptr<Training> start(Network& network, const MethodOptions& options, const Settings& settings) {
  return std::make_unique<DiffPruning>(network, options, settings);
}

}  // namespace

MethodRow diff_pruning_method() {
  return {"diff-pruning", "a sparse difference found with hard-concrete gates, then trained (Guo, Rush, Kim 2021)", kKeys, kPresets, 3e-4, 1e-3, 0,
          0.005, 8, [](const Settings&) { return std::string("*"); }, phases, start};
}

}  // namespace dstore
