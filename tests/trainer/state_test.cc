// A training saved at any step and read into a new one goes on with the same bits.
#include <algorithm>

#include "catch.h"
#include "dstore/error.h"
#include "tests/trainer/message_of.h"
#include "tests/trainer/tiny_model.h"
#include "trainer/loop/loop.h"
#include "trainer/methods/method.h"

using namespace dstore;
using namespace dstore::test;

namespace {

constexpr long kSteps = 12;

/// A training driven by hand, one step at a time, as the loop drives it.
class Run {
 public:
  explicit Run(const MethodRow& method, const std::vector<std::string>& set = {})
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
      std::vector<std::uint32_t> rows;
      for (std::uint32_t i = 0; i < 8; ++i) rows.push_back((8 * static_cast<std::uint32_t>(step) + i) % static_cast<std::uint32_t>(data_.train.examples.size()));
      network_.loss_and_gradients(make_batch(data_.train, rows, data_.pad_id), static_cast<std::uint32_t>(step));
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

  long keep_at = -1;

 private:
  Settings settings_;
  TaskData data_;
  MemoryTensors base_;
  Network network_;
  std::vector<long> phases_;
  std::unique_ptr<Training> training_;
};

struct Case {
  const MethodRow* method;
  std::vector<std::string> set;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const MethodRow& method : methods()) all.push_back({&method, {}});
  all.push_back({&find_method("diff-pruning"), {"structure=none"}});
  return all;
}

}  // namespace

TEST_CASE("a training read from its saved state goes on bit for bit") {
  for (const Case& c : cases()) {
    Run whole(*c.method, c.set);
    whole.steps(0, kSteps);
    for (long split = 0; split <= kSteps; ++split) {
      INFO(c.method->name << " saved after step " << split);
      Run first(*c.method, c.set);
      first.steps(0, split);
      const std::vector<std::byte> state = first.saved();
      Run second(*c.method, c.set);
      second.load(state);
      CHECK(second.saved() == state);
      CHECK(second.training().selected() == first.training().selected());
      second.steps(split, kSteps);
      CHECK(second.values() == whole.values());
      CHECK(second.training().facts() == whole.training().facts());
      CHECK(second.saved() == whole.saved());
    }
  }
}

TEST_CASE("the best values travel with the state") {
  for (const Case& c : cases()) {
    INFO(c.method->name);
    Run first(*c.method, c.set);
    first.keep_at = 9;
    first.steps(0, 11);
    Run second(*c.method, c.set);
    second.load(first.saved());
    const std::vector<float> last = first.values();
    first.training().restore_best();
    second.training().restore_best();
    CHECK(first.values() != last);
    CHECK(second.values() == first.values());
  }
}

TEST_CASE("a state that does not fit is refused") {
  for (const Case& c : cases()) {
    INFO(c.method->name);
    Run run(*c.method, c.set);
    run.steps(0, 9);
    const std::vector<std::byte> state = run.saved();
    const auto refused = [&](std::span<const std::byte> bytes) {
      Run fresh(*c.method, c.set);
      try {
        fresh.load(bytes);
      } catch (const Error& error) {
        return error.code() == ErrorCode::corrupt;
      }
      return false;
    };
    for (std::size_t size = 0; size < state.size(); size += state.size() / 40 + 1) CHECK(refused(std::span(state).first(size)));
    std::vector<std::byte> longer = state;
    longer.push_back(std::byte{0});
    CHECK(refused(longer));
    Run other(find_method(c.method->name == "full" ? "head" : "full"));
    other.steps(0, 9);
    CHECK(refused(other.saved()));
  }
}
