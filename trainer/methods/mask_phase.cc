#include "trainer/methods/mask_phase.h"

#include <algorithm>

namespace dstore {

MaskPhase::MaskPhase(Network& network, const MethodOptions& options, const MaskSettings& settings, Selection selection)
    : network_(network), options_(options), settings_(settings), parameters_(std::move(selection.parameters)),
      indices_(std::move(selection.indices)) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    values_.insert(values_.end(), selection.values[i].begin(), selection.values[i].end());
    if (settings_.l1 > 0) {
      const std::span<const float> base = network.values(parameters_[i]);
      for (const std::uint32_t index : indices_[i]) base_.push_back(base[index]);
    }
    if (indices_[i].empty()) {
      network.set_trainable(parameters_[i], false);
    } else {
      network.sample(parameters_[i], indices_[i]);
    }
  }
  m_.assign(values_.size(), 0.0f);
  v_.assign(values_.size(), 0.0f);
  gradient_.assign(values_.size(), 0.0f);
  scatter();
}

Selection MaskPhase::selection() const {
  Selection selection{parameters_, indices_, {}};
  auto from = values_.begin();
  for (const auto& entries : indices_) {
    const auto to = from + static_cast<std::ptrdiff_t>(entries.size());
    selection.values.emplace_back(from, to);
    from = to;
  }
  return selection;
}

void MaskPhase::scatter() {
  std::size_t at = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    float* values = network_.values(parameters_[i]).data();
    for (const std::uint32_t index : indices_[i]) values[index] = values_[at++];
  }
  network_.values_changed();
}

void MaskPhase::step(const StepInfo& info, DenseOptimizer& head, double factor) {
  auto to = gradient_.begin();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::span<const float> sampled = network_.sampled_gradient(parameters_[i]);
    to = std::copy(sampled.begin(), sampled.end(), to);
  }
  for (std::size_t i = 0; i < base_.size(); ++i) gradient_[i] += l1_gradient(values_[i], base_[i], static_cast<float>(settings_.l1));
  const double scale = clip_scale(squared_norm(gradient_) + head.gradient_norm_squared(), options_.clip);
  const AdamW settings{settings_.lr * factor, 0.9, 0.999, 1e-8, 0};
  adamw_update(values_, m_, v_, gradient_, AdamWStep::at(settings, info.phase_step + 1, scale));
  head.update(info.phase_step, factor, scale);
  scatter();
}

void MaskPhase::exchange_state(StateArchive& archive) {
  archive.array("mask.values", std::span(values_));
  archive.array("mask.m", std::span(m_));
  archive.array("mask.v", std::span(v_));
  archive.list("mask.best", best_, values_.size());
  if (archive.reading()) scatter();
}

void MaskPhase::keep_best() { best_ = values_; }

void MaskPhase::restore_best() {
  if (best_.empty()) return;
  values_ = best_;
  scatter();
}

}  // namespace dstore
