#include "trainer/loop/loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>

#include "dstore/error.h"
#include "trainer/loop/evaluate.h"

namespace dstore {
namespace {

using Clock = std::chrono::steady_clock;
constexpr long kReadingsEvery = 50;

volatile std::sig_atomic_t interrupt_requested = 0;
void request_interrupt(int) { interrupt_requested = 1; }

/// SIGINT and SIGTERM ask the loop to stop, for as long as this lives.
class InterruptGuard {
 public:
  InterruptGuard() {
    interrupt_requested = 0;
    struct sigaction action = {};
    action.sa_handler = request_interrupt;
    sigaction(SIGINT, &action, &old_int_);
    sigaction(SIGTERM, &action, &old_term_);
  }
  ~InterruptGuard() {
    sigaction(SIGINT, &old_int_, nullptr);
    sigaction(SIGTERM, &old_term_, nullptr);
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction old_int_ = {}, old_term_ = {};
};

/// Batches without end: epoch after epoch.
class BatchStream {
 public:
  BatchStream(const TaskData& data, const LoopOptions& options) : data_(data), options_(options), lengths_(data.train.lengths()) {}
  Batch next() {
    if (at_ == plan_.size()) {
      plan_ = training_batches(lengths_, options_.batch, options_.seed, epoch_++);
      at_ = 0;
    }
    return make_batch(data_.train, plan_[at_++], data_.pad_id);
  }

 private:
  const TaskData& data_;
  const LoopOptions& options_;
  std::vector<std::uint32_t> lengths_;
  BatchPlan plan_;
  std::size_t at_ = 0;
  std::uint32_t epoch_ = 0;
};

double mean(const std::vector<double>& values, std::size_t begin, std::size_t end) {
  double sum = 0;
  for (std::size_t i = begin; i < end; ++i) sum += values[i];
  return end > begin ? sum / static_cast<double>(end - begin) : 0;
}

/// Higher is better, but an error.
double merit(const Metric& metric) { return metric.name == "mse" ? -metric.value : metric.value; }

class Loop {
 public:
  Loop(Network& network, Training& training, const TaskData& data, const LoopOptions& options, Progress& progress)
      : network_(network), training_(training), data_(data), options_(options), progress_(progress), batches_(data, options) {}

  LoopResult run(const std::vector<PhaseName>& phases) {
    const InterruptGuard guard;
    const std::vector<long> counts = phase_steps(phases, options_.steps);
    for (std::size_t phase = 0; phase < phases.size() && !interrupt_requested; ++phase) {
      const auto start = Clock::now();
      training_.begin_phase(phase);
      result_.seconds += std::chrono::duration<double>(Clock::now() - start).count();
      for (long i = 0; i < counts[phase] && !interrupt_requested; ++i) {
        one_step(phases[phase].name, i, counts[phase]);
        const bool last = i + 1 == counts[phase];
        const bool due = options_.eval_every > 0 && result_.steps_done % options_.eval_every == 0;
        if (data_.dev && training_.presentable() && (due || last) && !interrupt_requested) evaluate_dev(phase + 1 == phases.size() && last);
      }
    }
    result_.interrupted = interrupt_requested != 0;
    if (!result_.interrupted && result_.best_step != 0 && result_.best_step != result_.steps_done) training_.restore_best();
    const std::size_t n = losses_.size(), window = std::min<std::size_t>(20, n);
    result_.loss_first = mean(losses_, 0, window);
    result_.loss_last = mean(losses_, n - window, n);
    progress_.finish();
    return std::move(result_);
  }

 private:
  void one_step(std::string_view phase, long i, long count) {
    const auto start = Clock::now();
    const double loss = network_.loss_and_gradients(batches_.next(), static_cast<std::uint32_t>(result_.steps_done));
    if (!std::isfinite(loss)) {
      throw Error(ErrorCode::invalid_argument, "the loss is not finite at step " + std::to_string(result_.steps_done + 1) + " (" + std::string(phase) +
                                                   "): try a lower --lr; nothing is staged");
    }
    training_.step({result_.steps_done, i, count});
    ++result_.steps_done;
    const double spent = std::chrono::duration<double>(Clock::now() - start).count();
    result_.seconds += spent;
    losses_.push_back(loss);
    if (result_.steps_done % kReadingsEvery == 0 || i + 1 == count) readings_ = training_.readings();
    nlohmann::ordered_json record = {{"event", "step"}, {"step", result_.steps_done}, {"phase", phase}, {"loss", loss}, {"seconds", spent}};
    if (result_.steps_done % kReadingsEvery == 0 || i + 1 == count) {
      for (const Reading& reading : readings_) record[reading.name] = reading.value;
    }
    result_.log.push_back(record.dump());
    progress_.step(result_.steps_done, phase, loss, readings_);
    warn_if_stuck();
  }

  /// Once, after a fifth of the steps: still no better than answering with the label frequencies.
  void warn_if_stuck() {
    if (result_.steps_done != std::max(20L, options_.steps / 5)) return;
    const auto prior = prior_loss(data_);
    const std::size_t n = losses_.size(), window = std::min<std::size_t>(50, n / 2 + 1);
    if (prior && mean(losses_, n - window, n) > *prior) {
      progress_.note("warning: after a fifth of the steps the loss is not below that of always answering with the label frequencies; "
                     "try a ten times higher --lr");
    }
  }

  void evaluate_dev(bool last) {
    const std::vector<Metric> metrics = score(predict(network_, *data_.dev, data_.pad_id, 64), *data_.dev);
    const double value = merit(metrics.front());
    nlohmann::ordered_json record = {{"event", "dev"}, {"step", result_.steps_done}};
    for (const Metric& metric : metrics) record[metric.name] = metric.value;
    result_.log.push_back(record.dump());
    progress_.note("dev " + metrics.front().name + " " + shortest_decimal(std::round(metrics.front().value * 1e4) / 1e4) + " after step " + std::to_string(result_.steps_done));
    if (result_.best_step != 0 && !(value > best_)) return;
    best_ = value;
    result_.best_step = result_.steps_done;
    result_.dev = metrics;
    if (!last) training_.keep_best();
  }

  Network& network_;
  Training& training_;
  const TaskData& data_;
  const LoopOptions& options_;
  Progress& progress_;
  BatchStream batches_;
  LoopResult result_;
  std::vector<double> losses_;
  std::vector<Reading> readings_;
  double best_ = 0;
};

}  // namespace

std::vector<long> phase_steps(const std::vector<PhaseName>& phases, long total) {
  std::vector<long> counts;
  long left = total;
  for (std::size_t i = 0; i < phases.size(); ++i) {
    const long later = static_cast<long>(phases.size() - i - 1);
    const long wanted = later == 0 ? left : std::lround(phases[i].share * static_cast<double>(total));
    counts.push_back(std::clamp(wanted, std::min(1L, left), std::max(1L, left - later)));
    left -= counts.back();
  }
  return counts;
}

LoopResult run_loop(Network& network, Training& training, const std::vector<PhaseName>& phases, const TaskData& data,
                    const LoopOptions& options, Progress& progress) {
  return Loop(network, training, data, options, progress).run(phases);
}

}  // namespace dstore
