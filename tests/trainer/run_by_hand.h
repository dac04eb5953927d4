#pragma once

#include <functional>

#include "tests/trainer/tiny_model.h"
#include "trainer/loop/loop.h"
#include "trainer/methods/method.h"

namespace dstore::test {

inline constexpr long kSteps = 12;

/// A training driven by hand, one step at a time, as the loop drives it.
class Run {
 public:
  explicit Run(const MethodRow& method, const std::vector<std::string>& set = {}, const std::function<void(MethodOptions&)>& change = {})
      : settings_(method.hyperparameters, method.presets, set), data_(tiny_task()), base_(tiny_bert(tiny_config())),
        network_(base_, match_parameters(base_, tiny_config(), 3, "tiny"), {TaskKind::classification, 7, Device::cpu}),
        phases_(phase_steps(method.phases(settings_), kSteps)) {
    select_trainable(network_, method, settings_);
    MethodOptions options;
    options.lr = method.lr * 10;
    options.head_lr = 1e-2;
    options.density = method.density > 0 ? 0.05 : 0;
    options.seed = 7;
    options.warn = [](const std::string&) {};
    give_examples(options, data_);
    if (change) change(options);
    training_ = method.start(network_, options, settings_);
  }

  void save(StateArchive& archive) { training_->exchange_state(archive); }
  std::vector<std::byte> saved() {
    StateArchive archive;
    save(archive);
    return archive.take();
  }
  void load(std::span<const std::byte> bytes) {
    StateArchive archive(bytes);
    save(archive);
    archive.finish();
  }
  /// Steps [from, to); phases that begin on the way are begun.
  void steps(long from, long to) {
    for (long step = from; step < to; ++step) {
      long phase_start = 0;
      std::size_t phase = 0;
      while (step - phase_start >= phases_[phase]) phase_start += phases_[phase++];
      if (step == phase_start) training_->begin_phase(phase);
      gradients(network_, step);
      training_->step({step, step - phase_start, phases_[phase]});
      if (training_->presentable() && step == keep_at) training_->keep_best();
    }
  }
  std::vector<float> values() {
    std::vector<float> all;
    for (std::size_t i = 0; i < network_.parameters().size(); ++i) all.insert(all.end(), network_.values(i).begin(), network_.values(i).end());
    return all;
  }
  Training& training() { return *training_; }
  Network& network() { return network_; }
  const TaskData& data() const { return data_; }
  /// The examples of step `step`, and the gradients of their loss in `network`.
  void gradients(Network& network, long step) const {
    std::vector<std::uint32_t> rows;
    for (std::uint32_t i = 0; i < 8; ++i) rows.push_back((8 * static_cast<std::uint32_t>(step) + i) % static_cast<std::uint32_t>(data_.train.examples.size()));
    network.loss_and_gradients(make_batch(data_.train, rows, data_.pad_id), static_cast<std::uint32_t>(step));
  }

  long keep_at = -1;

 private:
  Settings settings_;
  TaskData data_;
  MemoryTensors base_;
  Network network_;
  std::vector<long> phases_;
  std::unique_ptr<Training> training_;
};

}  // namespace dstore::test
