#include "trainer/methods/masked_training.h"

#include <cmath>

#include "base/decimal.h"
#include "dstore/error.h"

namespace dstore {

MaskSettings mask_settings(const Settings& settings) {
  MaskSettings mask;
  mask.lr = settings.number("mask_lr", 0, 1e3);
  if (settings.all().contains("mask_l1")) mask.l1 = settings.number("mask_l1", 0, 1e6);
  return mask;
}

double mask_share(const Settings& settings) { return settings.number("mask_share", 0, 0.99); }

MaskedTraining::MaskedTraining(Network& network, const MethodOptions& options, const MaskSettings& mask)
    : network_(network), options_(options), mask_(mask), count_(density_count(options.density, network.table().body_elements())) {
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    const Parameter& p = network.parameters()[i];
    if (!p.trainable) continue;
    (p.is_head ? head_indices_ : body_).push_back(i);
    body_elements_ += p.is_head ? 0 : p.count;
  }
  if (count_ == 0) throw Error(ErrorCode::invalid_argument, "--density: it selects no weight; choose a larger one");
  if (count_ > body_elements_) {
    throw Error(ErrorCode::invalid_argument,
                "--density: " + std::to_string(count_) + " weights to select, but only " + std::to_string(body_elements_) +
                    " take part (mean pooling leaves out the pooler, --train what it does not name); choose a smaller density");
  }
}

void MaskedTraining::begin_search() {
  searching_ = true;
  mask_phase_.reset();
}

void MaskedTraining::train_selection(Selection selection) {
  searching_ = false;
  head_.emplace(network_, head_indices_, options_);
  mask_phase_.emplace(network_, options_, mask_, std::move(selection));
}

Selection MaskedTraining::choose(std::span<const ScoreReader> readers, std::uint64_t k, const std::string& score) {
  Selection selection{body_, select_top_k(readers, k), {}};
  for (std::size_t i = 0; i < body_.size(); ++i) {
    const std::span<const float> values = network_.values(body_[i]);
    std::vector<float>& out = selection.values.emplace_back();
    for (const std::uint32_t at : selection.indices[i]) out.push_back(values[at]);
  }
  const std::uint64_t found = selection.size();
  if (found == 0) {
    throw Error(ErrorCode::invalid_argument, "no weight has " + score + " that is a number other than 0: try another --lr; nothing is staged");
  }
  if (found < k) {
    options_.warn("only " + std::to_string(found) + " of " + std::to_string(k) + " entries have " + score + "; no others are selected");
  }
  return selection;
}

void MaskedTraining::step(const StepInfo& info) {
  const long warmup = std::lround(options_.warmup * static_cast<double>(info.phase_steps));
  const double factor = schedule_factor(options_.schedule, info.phase_step, warmup, info.phase_steps);
  if (mask_phase_) return mask_phase_->step(info, *head_, factor);
  search_step(info, factor);
}

void MaskedTraining::keep_best() {
  mask_phase_->keep_best();
  best_head_.keep(network_, head_indices_);
}

void MaskedTraining::restore_best() {
  mask_phase_->restore_best();
  best_head_.restore(network_);
}

void MaskedTraining::exchange_state(StateArchive& archive) {
  enum class Stage : std::uint8_t { none, search, mask };
  Stage stage = mask_phase_ ? Stage::mask : searching_ ? Stage::search : Stage::none;
  archive.value("stage", stage);
  archive.texts("facts", facts_);
  exchange_own(archive);
  searching_ = stage == Stage::search;
  if (stage == Stage::search) return exchange_search(archive);
  if (stage == Stage::none) return;
  Selection selection = mask_phase_ ? mask_phase_->selection() : Selection{};
  selection.exchange_state(archive, network_);
  if (archive.reading()) train_selection(std::move(selection));
  head_->exchange_state(archive);
  mask_phase_->exchange_state(archive);
  best_head_.exchange_state(archive, network_);
}

}  // namespace dstore
