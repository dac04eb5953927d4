#pragma once

#include "trainer/methods/gate_phase.h"

namespace dstore {

/// Diff pruning's third stage: only the projected entries train. Optimiser state exists for them alone (gather, step,
/// scatter), so nothing else can move.
class MaskPhase {
 public:
  /// Writes theta0 + difference at the selected entries; the network must hold theta0.
  MaskPhase(Network& network, const MethodOptions& options, double lr, GatePhase::Projection projection);

  void step(const StepInfo& info, DenseOptimizer& head, double factor);
  void keep_best();
  void restore_best();
  std::uint64_t selected() const { return values_.size(); }
  GatePhase::Projection selection() const { return {parameters_, indices_, {}}; }
  /// All but the selection, with which a phase is made.
  void exchange_state(StateArchive& archive);

 private:
  void scatter();

  Network& network_;
  MethodOptions options_;
  double lr_;
  std::vector<std::size_t> parameters_;
  std::vector<std::vector<std::uint32_t>> indices_;
  std::vector<float> values_, m_, v_, gradient_, best_;  ///< of all selected entries, tensor after tensor
};

}  // namespace dstore
