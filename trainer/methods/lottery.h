#pragma once

#include "trainer/methods/masked_training.h"

namespace dstore {

inline constexpr Hyperparameter kLotteryTrainSetting{"train", "*", "tensors that train and that entries are selected from; as --train SELECTOR"};

/// From where the selected entries train.
enum class MaskStart {
  before,  ///< the values, head included, from before the search: a lottery ticket
  found,   ///< those that the search found
  none,    ///< they do not: the found values are the result
};

struct LotterySettings {
  std::size_t iterations = 1;
  double search_l1 = 0;  ///< as MaskSettings::l1, while everything trains
  MaskStart start = MaskStart::before;
};

/// Rounds of two phases: everything trains, the entries that moved furthest from the base join the selection; then all is put back and
/// the selection trains. The later rounds search from where the selection was trained to.
class LotteryTraining : public MaskedTraining {
 public:
  LotteryTraining(Network& network, const MethodOptions& options, const MaskSettings& mask, const LotterySettings& settings);

  void begin_phase(std::size_t phase) override;
  bool presentable() const override { return mask_phase_ && round_ + 1 == settings_.iterations; }

 protected:
  void search_step(const StepInfo& info, double factor) override;
  void exchange_search(StateArchive& archive) override;
  void exchange_own(StateArchive& archive) override { archive.value("round", round_); }

 private:
  void start_search();
  /// Ends a round's search.
  void select();
  std::vector<ScoreReader> readers();

  LotterySettings settings_;
  std::size_t round_ = 0;
  ValuesCopy base_, head_before_;
  Selection chosen_;  ///< of earlier rounds, with the values from which the search started
  std::optional<DenseOptimizer> dense_;
};

}  // namespace dstore
