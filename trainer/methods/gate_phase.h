#pragma once

#include <memory>
#include <vector>

#include "trainer/methods/dense_optimizer.h"
#include "trainer/methods/selection.h"
#include "trainer/optim/hard_concrete.h"
#include "trainer/optim/zeroed.h"

namespace dstore {

struct GateSettings {
  double alpha_init = 3;
  double gate_lr = 0.1;
  double gate_epsilon = 1e-8;
  std::vector<double> penalties = {1.9e-6};  ///< lambda: one, or of the embeddings, each layer and the rest
  bool groups = true;                        ///< one more gate for each tensor
  bool product = false;                      ///< penalise P(z_group > 0) P(z > 0) of every entry, instead of each gate by itself
};

/// What the expected number of open gates costs a tensor with `open` = sum of P(z > 0), for a group gate with P(z_group > 0) = `group`:
/// the weight of each entry's own P(z > 0), and the gradient by the group's alpha.
struct GatePenalty {
  double entry, group;
};
GatePenalty gate_penalty(double lambda, bool product, double group, double open);

/// Diff pruning's first stage: theta = theta0 + z_group z w, with w and the gates trained together. The network's values
/// are those of one draw of the noise (at the start theta0, since w = 0). A step is two passes over memory, three with
/// `product`; rows of word embeddings that never had a gradient have w = 0 and all the same gate, so they are kept as one
/// number until a token makes them real.
class GatePhase {
 public:
  GatePhase(Network& network, const MethodOptions& options, const GateSettings& settings);

  /// One optimiser step, then theta for the next forward pass.
  void step(const StepInfo& info, DenseOptimizer& head, double factor);
  /// Share of gates with P(z > 0), and of entries with E[z] w != 0.
  std::vector<Reading> readings() const;
  /// The `k` entries that stay, with their values: the projection of E[z_group] E[z] w onto the L0 ball, added to theta0.
  struct Projection : Selection {
    std::uint64_t filled = 0;  ///< entries taken although their difference is zero, and of those
    std::uint64_t filled_by_w = 0, filled_by_gradient = 0;
  };
  /// `gates`: whether the values are so, or theta0 + w.
  Projection project(std::uint64_t k, bool gates = true) const;
  /// Gates, differences, their moments and the network's values. Read into a new one, whose network holds theta0.
  void exchange_state(StateArchive& archive);
  /// Puts theta0 back into the network.
  void restore_base();

 private:
  friend struct GatePhaseProbe;  // tests set the gates by hand

  /// The gate that all inactive rows of a tensor share: alpha and its moments.
  struct SharedRow {
    float alpha, m, v;
  };
  struct Gated {
    std::size_t index;
    std::size_t count;
    std::size_t row_width;  ///< 0 where not by rows
    ZeroedFloats base, w, alpha, w_m, w_v, alpha_m, alpha_v;
    std::vector<std::uint8_t> active;  ///< by rows: whether the row's numbers are real
    float group_alpha[3];              ///< value and moments
    double group_z = 1;
    double group_slope = 0;
    double lambda;
    SharedRow shared;
  };
  GateRun run_of(const Gated& tensor, std::size_t first, std::size_t count) const;
  lanes::NoiseKey noise(const Gated& tensor, long step) const;
  bool skipped(const Gated& tensor, std::size_t run) const { return tensor.row_width != 0 && !tensor.active[run]; }
  std::size_t runs(const Gated& tensor) const;
  std::pair<std::size_t, std::size_t> run_range(const Gated& tensor, std::size_t run) const;
  void activate_rows(Gated& tensor, const Gradient& gradient);
  void draw_groups(long step);
  /// body(run, first, count) for each run with numbers of its own, on all threads.
  template <typename Body>
  void for_each_active(const Gated& tensor, const Body& body) const;
  /// Of all runs in their order: as if every row had numbers of its own, bit for bit.
  GateSums sums(const Gated& tensor, long step, float penalty) const;
  GateStatistics statistics(const Gated& tensor) const;
  static void update_shared_row(Gated& tensor, const GateStep& step);
  template <typename Score>
  std::vector<std::vector<std::uint32_t>> select(std::uint64_t k, bool active_only, const Score& score) const;

  Network& network_;
  MethodOptions options_;
  GateSettings settings_;
  std::vector<Gated> tensors_;
};

}  // namespace dstore
