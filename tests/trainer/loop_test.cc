// The loop, run and interrupted: what is saved at any step goes on with the same bits, in every stage of every method.
#include "trainer/loop/loop.h"

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "catch.h"
#include "dstore/error.h"
#include "tests/trainer/message_of.h"
#include "tests/trainer/method_cases.h"
#include "tests/trainer/tiny_model.h"
#include "trainer/loop/interrupt.h"
#include "trainer/methods/method.h"

using namespace dstore;
using namespace dstore::test;

namespace {

constexpr long kSteps = 13;
const ObjectId kRun = ObjectId::parse(std::string(64, 'a'), "test");

class Scratch {
 public:
  Scratch() { std::filesystem::create_directory(path_); }
  ~Scratch() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return join_path(path_, name); }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / ("dstore-loop-" + random_name())).string();
};

/// Writing past so many bytes of a file fails.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const struct rlimit limit = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  struct rlimit before_ = {};
  void (*handler_)(int) = std::signal(SIGXFSZ, SIG_IGN);
};

struct Outcome {
  std::vector<float> values;
  std::vector<std::string> log;  ///< without times
  LoopResult result;
  std::map<std::string, std::string> facts;
};

std::vector<std::string> without_times(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    auto record = nlohmann::ordered_json::parse(line);
    record.erase("seconds");
    lines.push_back(record.dump());
  }
  return lines;
}

/// One process's worth of a training: from nothing or from a saved step, up to the end or to the step in which the signal comes.
Outcome train(const MethodCase& c, const std::string& folder, std::optional<long> from, long stop_in_step, const std::function<void(LoopOptions&)>& change = {},
              double lr_factor = 10) {
  const Settings settings(c.method->hyperparameters, c.method->presets, c.set);
  TaskData data = tiny_task();
  data.dev = data.train;
  const MemoryTensors base = tiny_bert(tiny_config());
  Network network(base, match_parameters(base, tiny_config(), 3, "tiny"), {TaskKind::classification, 7, Device::cpu});
  select_trainable(network, *c.method, settings);
  MethodOptions options;
  options.lr = c.method->lr * lr_factor;
  options.head_lr = 1e-2;
  options.density = c.method->density > 0 ? 0.05 : 0;
  options.seed = 7;
  options.clip = lr_factor > 1e3 ? 0 : 1;
  options.warn = [](const std::string&) {};
  give_examples(options, data);
  const auto training = c.method->start(network, options, settings);

  const InterruptGuard guard;
  RunFolder run(folder, "tiny");
  TrainingLog log(join_path(folder, "train.jsonl"), "");
  log.keep();
  Progress progress(kSteps, true);
  LoopOptions how{7, 8, kSteps, 3};
  how.log = &log;
  how.saving.emplace(Saving{run, kRun, 1});
  how.saving->from = from;
  long begun = from.value_or(0);
  how.rate = [&](long, long) {
    if (++begun == stop_in_step) std::raise(SIGINT);
    return 0.5;
  };
  if (change) change(how);
  Outcome out;
  out.result = run_loop(network, *training, c.method->phases(settings), data, how, progress);
  for (std::size_t i = 0; i < network.parameters().size(); ++i) out.values.insert(out.values.end(), network.values(i).begin(), network.values(i).end());
  out.log = without_times(log.text());
  out.facts = training->facts();
  return out;
}

}  // namespace

TEST_CASE("a run interrupted in any step goes on bit for bit") {
  for (const MethodCase& c : method_cases()) {
    const Scratch scratch;
    const Outcome whole = train(c, scratch / "whole", {}, 0);
    REQUIRE(whole.result.steps_done == kSteps);
    for (long stop = 1; stop <= kSteps; ++stop) {
      INFO(c.method->name << " interrupted in step " << stop);
      const std::string folder = scratch / std::to_string(stop).c_str();
      const Outcome first = train(c, folder, {}, stop);
      CHECK(first.result.interrupted);
      CHECK(first.result.saved_step == stop);
      const Outcome second = train(c, folder, stop, 0);
      CHECK(!second.result.interrupted);
      CHECK(second.values == whole.values);
      CHECK(second.log == whole.log);
      CHECK(second.facts == whole.facts);
      CHECK(second.result.best_step == whole.result.best_step);
      CHECK(second.result.loss_first == whole.result.loss_first);
      CHECK(second.result.loss_last == whole.result.loss_last);
    }
  }
}

TEST_CASE("the last two states are kept, whole, and a damaged one is refused") {
  const Scratch scratch;
  const MethodCase full{&find_method("full"), {}};
  const std::string folder = scratch / "run";
  const Outcome whole = train(full, folder, {}, 0);
  const RunFolder run(folder, "tiny");
  CHECK(run.saved_steps() == std::vector<long>{kSteps - 1, kSteps});
  const std::string path = join_path(folder, "state-" + std::to_string(kSteps));
  const Bytes good = read_file(posix_filesystem(), path);
  const auto refusal = [&](const Bytes& bytes, const ObjectId& id = kRun) {
    posix_filesystem().open(path, OpenMode::write)->truncate(0);
    posix_filesystem().open(path, OpenMode::write)->write_at(0, bytes);
    return message_of([&] { run.load(kSteps, id, [](StateArchive&) {}); });
  };
  for (std::size_t at = 0; at < good.size(); at += good.size() / 60) {
    Bytes bad = good;
    bad[at] ^= std::byte{4};
    CHECK(refusal(bad).find("--from-step 12") != std::string::npos);
    CHECK(refusal(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(at))).find("--from-step 12") != std::string::npos);
  }
  CHECK(refusal(good, ObjectId::parse(std::string(64, 'b'), "test")).find("another run") != std::string::npos);
  CHECK(refusal(good).find("does not fit") != std::string::npos);  // nothing read it
  CHECK(message_of([&] { run.load(3, kRun, [](StateArchive&) {}); }).find("saved: 12, 13") != std::string::npos);
  CHECK_THROWS_AS(RunFolder(folder, "tiny"), Error);  // held
}

TEST_CASE("where nobody said how often, a state is saved from time to time") {
  const Scratch scratch;
  const MethodCase full{&find_method("full"), {}};
  const auto by_time = [](double seconds) {
    return [seconds](LoopOptions& how) { how.saving->every = 0, how.saving->every_seconds = seconds; };
  };
  const Outcome rare = train(full, scratch / "rare", {}, 0, by_time(3600));
  CHECK(rare.result.saved_step == 0);
  CHECK(RunFolder(scratch / "rare", "tiny").saved_steps().empty());
  const Outcome often = train(full, scratch / "often", {}, 0, by_time(0));
  REQUIRE(often.result.saved_step >= 1);  // after the first step, and as the time that it took allows
  CHECK(often.values == rare.values);
  CHECK(train(full, scratch / "often", often.result.saved_step, 0, by_time(3600)).values == rare.values);
  const Outcome stopped = train(full, scratch / "stopped", {}, 5, by_time(3600));
  CHECK(stopped.result.interrupted);
  CHECK(stopped.result.saved_step == 5);
}

TEST_CASE("a state that cannot be written ends no training that nobody asked to save") {
  const Scratch scratch;
  const MethodCase full{&find_method("full"), {}};
  const FileSizeLimit limit(5000);  // the log fits, no state does
  const auto train_saving = [&](long every) {
    return train(full, scratch / std::to_string(every).c_str(), {}, 0, [&](LoopOptions& how) { how.saving->every = every, how.saving->every_seconds = 0; });
  };
  const Outcome unasked = train_saving(0);
  CHECK(unasked.result.steps_done == kSteps);
  CHECK(unasked.result.saved_step == 0);
  CHECK(message_of([&] { train_saving(1); }).find("cannot save the training after step 1") != std::string::npos);
}

TEST_CASE("training stops when dev does not improve, and goes on from there the same") {
  const Scratch scratch;
  const MethodCase head{&find_method("head"), {}};
  const auto impatient = [](LoopOptions& how) {
    how.eval_every = 2;
    how.patience = 2;
    how.min_delta = 2;  // more than any accuracy
  };
  const Outcome whole = train(head, scratch / "whole", {}, 0, impatient);
  CHECK(whole.result.stopped_early == 6);
  CHECK(whole.result.steps_done == 6);
  CHECK(whole.log.back().find("no improvement") != std::string::npos);
  train(head, scratch / "parts", {}, 5, impatient);
  const Outcome parts = train(head, scratch / "parts", 5, 0, impatient);
  CHECK(parts.values == whole.values);
  CHECK(parts.log == whole.log);
  CHECK(train(head, scratch / "whole", 6, 0, impatient).values == whole.values);
}

TEST_CASE("the result is the best step's, or on request the last one's") {
  const Scratch scratch;
  const MethodCase full{&find_method("full"), {}};
  const auto every_step = [](LoopOptions& how) { how.eval_every = 1; };
  const Outcome best = train(full, scratch / "best", {}, 0, every_step, 300);
  const Outcome last = train(full, scratch / "last", {}, 0, [&](LoopOptions& how) { every_step(how), how.keep_last = true; }, 300);
  REQUIRE(best.result.best_step < kSteps);
  CHECK(last.result.best_step == best.result.best_step);
  CHECK(last.values != best.values);
  CHECK(last.log == best.log);
  CHECK(best.result.dev_best.front().value > best.result.dev_last.front().value);
}

TEST_CASE("a loss that is not finite leaves the last good state") {
  const Scratch scratch;
  const MethodCase full{&find_method("full"), {}};
  const std::string folder = scratch / "run";
  const std::string message = message_of([&] { train(full, folder, {}, 0, {}, 1e34); });
  CHECK(message.find("is not finite at step") != std::string::npos);
  const RunFolder run(folder, "tiny");
  CHECK(run.rates_may_differ());
  for (const long step : run.saved_steps()) CHECK(message.find("step " + std::to_string(step)) != std::string::npos);
}

TEST_CASE("where no evaluation gives a number the last step is kept") {
  const ModelConfig config = tiny_config();
  const MemoryTensors base = tiny_bert(config);
  TaskData data = tiny_task();
  data.task = data.train.task = TaskKind::regression;
  data.labels = {};
  data.dev = data.train;  // every value is zero: no correlation exists
  Network network(base, match_parameters(base, config, 1, "tiny"), {TaskKind::regression, 1, Device::cpu});
  const MethodRow& method = find_method("full");
  const Settings settings(method.hyperparameters, method.presets, {});
  select_trainable(network, method, settings);
  MethodOptions options;
  options.lr = options.head_lr = 1e-3;
  const auto training = method.start(network, options, settings);
  Progress progress(6, true);
  const LoopResult loop = run_loop(network, *training, method.phases(settings), data, {1, 8, 6, 2}, progress);
  REQUIRE(!loop.dev_best.empty());
  CHECK(std::isnan(loop.dev_best.front().value));
  CHECK(loop.best_step == 6);
}

TEST_CASE("phases share the steps, at least one each") {
  CHECK(phase_steps({{"a", 0.5}, {"b", 0.5}}, 501) == std::vector<long>{251, 250});
  CHECK(phase_steps({{"a", 1.0}, {"b", 0.0}}, 10) == std::vector<long>{9, 1});
  CHECK(phase_steps({{"a", 1.0}}, 1) == std::vector<long>{1});
}
