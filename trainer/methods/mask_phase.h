#pragma once

#include <vector>

#include "trainer/methods/dense_optimizer.h"
#include "trainer/methods/selection.h"

namespace dstore {

struct MaskSettings {
  double lr = 1e-3;
  double l1 = 0;  ///< weight of the difference's L1 norm
};

/// Training of selected entries alone. Optimiser state exists only for them (gather, step, scatter), so nothing else can move.
class MaskPhase {
 public:
  /// Writes the selection's values; the network must hold theta0.
  MaskPhase(Network& network, const MethodOptions& options, const MaskSettings& settings, Selection selection);

  void step(const StepInfo& info, DenseOptimizer& head, double factor);
  void keep_best();
  void restore_best();
  std::uint64_t selected() const { return values_.size(); }
  /// With the values of now.
  Selection selection() const;
  /// All but the selection, with which a phase is made.
  void exchange_state(StateArchive& archive);

 private:
  void scatter();

  Network& network_;
  MethodOptions options_;
  MaskSettings settings_;
  std::vector<std::size_t> parameters_;
  std::vector<std::vector<std::uint32_t>> indices_;
  std::vector<float> values_, m_, v_, gradient_, best_;  ///< of all selected entries, tensor after tensor
  std::vector<float> base_;                              ///< empty without L1
};

}  // namespace dstore
