#include "trainer/methods/lottery.h"

#include <algorithm>

#include "dstore/error.h"

namespace dstore {

LotteryTraining::LotteryTraining(Network& network, const MethodOptions& options, const MaskSettings& mask, const LotterySettings& settings)
    : MaskedTraining(network, options, mask), settings_(settings) {
  if (settings.iterations > count()) {
    throw Error(ErrorCode::invalid_argument,
                "--density: " + std::to_string(count()) + " weights to select are fewer than the iterations; choose a larger density");
  }
  base_.keep(network, body());
  chosen_ = {body(), std::vector<std::vector<std::uint32_t>>(body().size()), std::vector<std::vector<float>>(body().size())};
}

void LotteryTraining::begin_phase(std::size_t phase) {
  if (phase % 2 == 1) return select();
  round_ = phase / 2;
  if (mask_phase_) chosen_ = mask_phase_->selection();
  head_before_.keep(network_, head_indices_);
  begin_search();
  start_search();
}

void LotteryTraining::start_search() {
  for (const std::size_t index : body()) network_.set_trainable(index, true);
  std::vector<std::size_t> all = body();
  all.insert(all.end(), head_indices_.begin(), head_indices_.end());
  dense_.emplace(network_, all, options_);
  dense_->regularise(base_, settings_.search_l1);
}

void LotteryTraining::search_step(const StepInfo& info, double factor) {
  const double scale = options_.clip > 0 ? clip_scale(dense_->gradient_norm_squared(), options_.clip) : 1;
  dense_->update(info.phase_step, factor, scale);
  network_.values_changed();
  if (settings_.start == MaskStart::none && info.phase_step + 1 == info.phase_steps) select();
}

std::vector<ScoreReader> LotteryTraining::readers() {
  std::vector<ScoreReader> all;
  for (std::size_t i = 0; i < body().size(); ++i) {
    all.push_back([this, i](const auto& take) {
      const std::span<const float> values = network_.values(body()[i]), base = base_.values(body()[i]);
      const std::vector<std::uint32_t>& chosen = chosen_.indices[i];
      auto next = chosen.begin();
      std::vector<float> scores(Gradient::kRun);
      for (std::size_t first = 0; first < values.size(); first += scores.size()) {
        const std::size_t n = std::min(scores.size(), values.size() - first);
        for (std::size_t j = 0; j < n; ++j) scores[j] = values[first + j] - base[first + j];
        for (; next != chosen.end() && *next < first + n; ++next) scores[*next - first] = 0;
        take(first, std::span<const float>(scores.data(), n));
      }
    });
  }
  return all;
}

void LotteryTraining::select() {
  const std::uint64_t before = chosen_.size(), rounds = settings_.iterations;
  const std::uint64_t wanted = round_ + 1 == rounds ? count() - before : count() / rounds;
  const Selection found = choose(readers(), wanted, "a difference from the base");
  base_.restore(network_);
  dense_.reset();
  if (settings_.start == MaskStart::before) head_before_.restore(network_);
  Selection all{body(), {}, {}};
  for (std::size_t i = 0; i < body().size(); ++i) {
    const std::span<const float> base = base_.values(body()[i]);
    std::vector<std::pair<std::uint32_t, float>> entries;
    for (std::size_t j = 0; j < chosen_.indices[i].size(); ++j) entries.emplace_back(chosen_.indices[i][j], chosen_.values[i][j]);
    for (std::size_t j = 0; j < found.indices[i].size(); ++j) {
      const std::uint32_t at = found.indices[i][j];
      entries.emplace_back(at, settings_.start == MaskStart::before ? base[at] : found.values[i][j]);
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    all.indices.emplace_back();
    all.values.emplace_back();
    for (const auto& [at, value] : entries) {
      all.indices.back().push_back(at);
      all.values.back().push_back(value);
    }
  }
  train_selection(std::move(all));
}

void LotteryTraining::exchange_search(StateArchive& archive) {
  chosen_.exchange_state(archive, network_);
  StateArchive::require(chosen_.parameters == body(), "selection.parameters");
  head_before_.exchange_state(archive, network_);
  if (archive.reading()) start_search();
  dense_->exchange_state(archive);
}

}  // namespace dstore
