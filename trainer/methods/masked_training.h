#pragma once

#include <optional>
#include <string>

#include "trainer/methods/mask_phase.h"
#include "trainer/optim/top_k.h"

namespace dstore {

/// What methods share that find a selection of `density` times the base's weights, then train these entries and the head: how many, the
/// phase that trains them, the best values and the state. A method begins its phases and, while it searches, steps itself.
class MaskedTraining : public Training {
 public:
  /// Error{invalid_argument} for a density that selects nothing, or more than what the network trains.
  MaskedTraining(Network& network, const MethodOptions& options, const MaskSettings& mask);

  void step(const StepInfo& info) override;
  bool presentable() const override { return mask_phase_.has_value(); }
  void keep_best() override;
  void restore_best() override;
  void exchange_state(StateArchive& archive) override;
  std::uint64_t selected() const override { return mask_phase_ ? mask_phase_->selected() : 0; }
  std::map<std::string, std::string> facts() const override { return facts_; }

 protected:
  /// A step before there is a selection, and what is kept until then; begin_search() says that it began.
  virtual void search_step(const StepInfo&, double /*factor*/) {}
  virtual void exchange_search(StateArchive&) {}
  /// What is kept all the time.
  virtual void exchange_own(StateArchive&) {}
  void begin_search();
  /// The network must hold theta0. From here on the selection trains.
  void train_selection(Selection selection);
  /// The `k` entries of the body with the largest scores (one reader for each of body()), their values the network's.
  /// Error{invalid_argument} where no score is above zero; `score` is what to call it.
  Selection choose(std::span<const ScoreReader> readers, std::uint64_t k, const std::string& score);

  /// Parameters that train but those of the head.
  const std::vector<std::size_t>& body() const { return body_; }
  std::uint64_t body_elements() const { return body_elements_; }
  std::uint64_t count() const { return count_; }

  Network& network_;
  MethodOptions options_;
  MaskSettings mask_;
  std::map<std::string, std::string> facts_;
  std::vector<std::size_t> head_indices_;
  std::optional<DenseOptimizer> head_;
  std::optional<MaskPhase> mask_phase_;

 private:
  bool searching_ = false;
  std::uint64_t count_;
  std::uint64_t body_elements_ = 0;
  std::vector<std::size_t> body_;
  ValuesCopy best_head_;
};

/// The settings of methods that train a selection, and the values of `mask_lr` and, if there, `mask_l1`.
MaskSettings mask_settings(const Settings& settings);
/// Rows of methods whose last stage trains the selected entries, and the share of the steps that it takes.
inline constexpr Hyperparameter kMaskLrSetting{"mask_lr", "1e-3", "learning rate of the selected entries"};
inline constexpr Hyperparameter kMaskShareSetting{"mask_share", "0.5", "share of the steps that train the selected entries"};
double mask_share(const Settings& settings);

}  // namespace dstore
