// Diff pruning (Guo, Rush, Kim 2021): train a gated difference, project it onto the L0 ball, train what is left. What
// the reference code does differently is deliberate here: the projection takes the expected difference, not the last
// sample; the third stage starts at it; one draw of the noise serves one optimiser step; clipping takes effect.
#include <array>
#include <cmath>

#include "base/decimal.h"
#include "dstore/error.h"
#include "trainer/methods/mask_phase.h"
#include "trainer/text/metrics.h"

namespace dstore {
namespace {

constexpr std::array kKeys = {
    Hyperparameter{"structure", "matrix", "none, matrix: one more gate for each tensor (structured diff pruning)"},
    Hyperparameter{"alpha_init", "3", "initial gate parameter; 5 opens 99.3 % of the gates, 3 95.3 %"},
    Hyperparameter{"gate_lr", "0.1", "learning rate of the gates (constant)"},
    Hyperparameter{"gate_eps", "1e-8", "epsilon of the gates' Adam: larger ones slow down gates without a gradient"},
    Hyperparameter{"lambda", "1.9e-6", "weight of the L0 penalty per gate"},
    Hyperparameter{"mask_lr", "1e-3", "learning rate of the selected entries in the last stage"},
    Hyperparameter{"mask_share", "0.5", "share of the steps that train the selected entries"},
    Hyperparameter{"lr", "", "learning rate of the differences; as --lr"},
};
using Value = std::pair<std::string_view, std::string_view>;
constexpr std::array kShort = {Value{"alpha_init", "3"}, Value{"lambda", "1.9e-6"}, Value{"lr", "3e-4"}, Value{"mask_lr", "1e-3"}};
constexpr std::array kPaper = {Value{"alpha_init", "5"}, Value{"lambda", "1.25e-7"}, Value{"lr", "1e-5"}, Value{"mask_lr", "5e-5"}};
constexpr std::array kPresets = {
    Preset{"short", "for runs of some hundred steps on small models (the defaults)", kShort},
    Preset{"paper", "the paper's values for BERT-large, 3 + 3 epochs with batches of 8", kPaper},
};

class DiffPruning : public Training {
 public:
  DiffPruning(Network& network, const MethodOptions& options, const Settings& settings)
      : network_(network), options_(options), mask_lr_(settings.number("mask_lr", 0, 1e3)) {
    gates_.groups = settings.word("structure", {"none", "matrix"}) == "matrix";
    gates_.alpha_init = settings.number("alpha_init", -20, 20);
    gates_.gate_lr = settings.number("gate_lr", 0, 1e3);
    gates_.gate_epsilon = settings.number("gate_eps", 0, 1);
    gates_.penalty = settings.number("lambda", 0, 1e3);
    count_ = density_count(options.density, network.table().body_elements());
    for (std::size_t i = 0; i < network.parameters().size(); ++i) {
      const Parameter& p = network.parameters()[i];
      if (p.is_head && p.trainable) head_indices_.push_back(i);
      if (!p.is_head && p.trainable) gated_ += p.count;
    }
    if (count_ > gated_) {
      throw Error(ErrorCode::invalid_argument, "--density: " + std::to_string(count_) + " weights to select, but only " + std::to_string(gated_) +
                                                   " take part in the computation (mean pooling leaves out the pooler); choose a smaller density");
    }
  }

  void begin_phase(std::size_t phase) override {
    head_.emplace(network_, head_indices_, options_);
    if (phase == 0) {
      gate_phase_ = std::make_unique<GatePhase>(network_, options_, gates_);
      return;
    }
    for (const Reading& reading : gate_phase_->readings()) {
      if (reading.name == "mean_open") facts_["gate_mean_open"] = shortest_decimal(std::round(reading.value * 1e6) / 1e6);
      if (reading.name == "nonzero") facts_["gate_nonzero"] = std::to_string(std::llround(reading.value * static_cast<double>(gated_)));
    }
    GatePhase::Projection projection = gate_phase_->project(count_);
    if (projection.selected() != count_) {
      throw Error(ErrorCode::invalid_argument, "the differences are not finite after the first stage: try a lower --lr; nothing is staged");
    }
    facts_["filled"] = std::to_string(projection.filled);
    facts_["filled_by_w"] = std::to_string(projection.filled_by_w);
    facts_["filled_by_gradient"] = std::to_string(projection.filled_by_gradient);
    gate_phase_->restore_base();
    network_.values_changed();
    gate_phase_.reset();
    if (projection.filled > 0) {
      options_.warn("only " + std::to_string(count_ - projection.filled) + " of " + std::to_string(count_) +
                    " entries had an open gate after the first stage; the rest was filled by |w| and |gradient| "
                    "(fewer steps, a smaller lambda or a smaller density avoid this)");
    }
    mask_phase_.emplace(network_, options_, mask_lr_, std::move(projection));
  }

  void step(const StepInfo& info) override {
    const long warmup = std::lround(options_.warmup * static_cast<double>(info.phase_steps));
    const double factor = schedule_factor(options_.schedule, info.phase_step, warmup, info.phase_steps);
    if (mask_phase_) return mask_phase_->step(info, *head_, factor);
    gate_phase_->step(info, *head_, factor);
  }
  bool presentable() const override { return mask_phase_.has_value(); }
  std::vector<Reading> readings() const override { return gate_phase_ ? gate_phase_->readings() : std::vector<Reading>{}; }
  void keep_best() override {
    mask_phase_->keep_best();
    best_head_.keep(network_, head_indices_);
  }
  void restore_best() override {
    mask_phase_->restore_best();
    best_head_.restore(network_);
  }
  void exchange_state(StateArchive& archive) override {
    enum class Stage : std::uint8_t { none, gates, mask };
    Stage stage = mask_phase_ ? Stage::mask : gate_phase_ ? Stage::gates : Stage::none;
    archive.value("stage", stage);
    archive.texts("facts", facts_);
    if (stage == Stage::none) return;
    if (archive.reading()) head_.emplace(network_, head_indices_, options_);
    head_->exchange_state(archive);
    if (stage == Stage::gates) {
      if (archive.reading()) gate_phase_ = std::make_unique<GatePhase>(network_, options_, gates_);
      gate_phase_->exchange_state(archive);
      return;
    }
    GatePhase::Projection selection = mask_phase_ ? mask_phase_->selection() : GatePhase::Projection{};
    selection.exchange_selection(archive, network_);
    if (archive.reading()) mask_phase_.emplace(network_, options_, mask_lr_, std::move(selection));
    mask_phase_->exchange_state(archive);
    best_head_.exchange_state(archive, network_);
  }
  std::uint64_t selected() const override { return mask_phase_ ? mask_phase_->selected() : 0; }
  std::map<std::string, std::string> facts() const override { return facts_; }

 private:
  Network& network_;
  MethodOptions options_;
  GateSettings gates_;
  double mask_lr_;
  std::uint64_t count_;
  std::uint64_t gated_ = 0;  ///< entries that have a gate
  std::map<std::string, std::string> facts_;
  std::vector<std::size_t> head_indices_;
  std::optional<DenseOptimizer> head_;
  std::unique_ptr<GatePhase> gate_phase_;
  std::optional<MaskPhase> mask_phase_;
  ValuesCopy best_head_;
};

}  // namespace

constinit const std::span<const Hyperparameter> kDiffPruningHyperparameters = kKeys;
constinit const std::span<const Preset> kDiffPruningPresets = kPresets;

std::vector<PhaseName> diff_pruning_phases(const Settings& settings) {
  const double mask = settings.number("mask_share", 0, 0.99);
  return {{"gates", 1 - mask}, {"mask", mask}};
}

std::unique_ptr<Training> start_diff_pruning(Network& network, const MethodOptions& options, const Settings& settings) {
  return std::make_unique<DiffPruning>(network, options, settings);
}

}  // namespace dstore
