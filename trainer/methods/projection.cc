// Diff pruning's second stage: which entries stay.
#include <algorithm>
#include <cmath>

#include "trainer/methods/gate_phase.h"
#include "trainer/optim/top_k.h"

namespace dstore {

/// select_top_k over score(tensor, run, first, count, out); inactive rows score zero without being asked if `active_only`.
template <typename Score>
std::vector<std::vector<std::uint32_t>> GatePhase::select(std::uint64_t k, bool active_only, const Score& score) const {
  std::vector<ScoreReader> readers;
  for (const Gated& t : tensors_) {
    readers.push_back([this, &t, &score, active_only](const auto& body) {
      std::vector<float> scores(std::max(t.row_width, Gradient::kRun));
      for (std::size_t r = 0; r < runs(t); ++r) {
        if (active_only && skipped(t, r)) continue;
        const auto [first, count] = run_range(t, r);
        score(t, r, first, count, scores.data());
        body(first, std::span<const float>(scores.data(), count));
      }
    });
  }
  return select_top_k(readers, k);
}

GatePhase::Projection GatePhase::project(std::uint64_t k, bool gates) const {
  const auto group = [&](const Gated& t) {
    return settings_.groups ? static_cast<float>(expected_gate(static_cast<double>(t.group_alpha[0]))) : 1.0f;
  };
  const auto expected = [&](const Gated& t, std::size_t r, std::size_t first, std::size_t count, float* out) {
    if (skipped(t, r)) {
      std::fill_n(out, count, 0.0f);
    } else {
      gate_expected(run_of(t, first, count), group(t), out);
    }
  };
  // Where too few entries are nonzero: the largest |w| behind a closed gate, then the largest last |gradient|, then in order.
  const auto closed = [&](const Gated& t, std::size_t r, std::size_t first, std::size_t count, float* out) {
    expected(t, r, first, count, out);
    for (std::size_t i = 0; i < count; ++i) out[i] = out[i] == 0 ? t.w.data()[first + i] : 0;
  };
  const auto steepest = [&](const Gated& t, std::size_t r, std::size_t first, std::size_t count, float* out) {
    const float* gradient = network_.gradient(t.index).run(r).gradient;
    for (std::size_t i = 0; i < count; ++i) out[i] = t.w.data()[first + i] == 0 ? gradient[i] : 0;
  };
  const auto rest = [&](const Gated& t, std::size_t r, std::size_t first, std::size_t count, float* out) {
    const float* gradient = network_.gradient(t.index).run(r).gradient;
    for (std::size_t i = 0; i < count; ++i) out[i] = t.w.data()[first + i] == 0 && gradient[i] == 0 ? 1 : 0;
  };

  Projection projection;
  projection.indices.resize(tensors_.size());
  std::uint64_t taken = 0;
  const auto merge = [&](const std::vector<std::vector<std::uint32_t>>& more) {
    for (std::size_t i = 0; i < more.size(); ++i) {
      auto& indices = projection.indices[i];
      const auto middle = static_cast<std::ptrdiff_t>(indices.size());
      indices.insert(indices.end(), more[i].begin(), more[i].end());
      std::inplace_merge(indices.begin(), indices.begin() + middle, indices.end());
      taken += more[i].size();
    }
  };
  merge(select(k, true, expected));
  const std::uint64_t nonzero = taken;
  if (taken < k) merge(select(k - taken, true, closed));
  projection.filled_by_w = taken - nonzero;
  if (taken < k) merge(select(k - taken, false, steepest));
  projection.filled_by_gradient = taken - nonzero - projection.filled_by_w;
  if (taken < k) merge(select(k - taken, false, rest));
  projection.filled = taken - nonzero;

  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const Gated& t = tensors_[i];
    projection.parameters.push_back(t.index);
    std::vector<float> values;
    for (const std::uint32_t at : projection.indices[i]) {
      if (skipped(t, t.row_width != 0 ? at / t.row_width : 0)) {
        values.push_back(network_.values(t.index)[at]);
        continue;
      }
      float difference = t.w.data()[at];
      if (gates) gate_expected(run_of(t, at, 1), group(t), &difference);
      values.push_back(t.base.data()[at] + difference);
    }
    projection.values.push_back(std::move(values));
  }
  return projection;
}

}  // namespace dstore
