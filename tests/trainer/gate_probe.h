#pragma once

#include <algorithm>

#include "trainer/methods/gate_phase.h"

namespace dstore {

/// Sees the gates, and sets them by hand.
struct GatePhaseProbe {
  static auto& tensors(GatePhase& phase) { return phase.tensors_; }
  /// Gives every row of the word embeddings numbers of its own, as if each had had a gradient.
  static void activate_all(GatePhase& phase, Network& network, float alpha) {
    for (auto& t : phase.tensors_) {
      if (t.row_width == 0) continue;
      std::fill(t.active.begin(), t.active.end(), std::uint8_t{1});
      std::copy_n(network.values(t.index).data(), t.count, t.base.data());
      std::fill_n(t.alpha.data(), t.count, alpha);
    }
  }
};

}  // namespace dstore
