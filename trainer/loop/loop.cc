#include "trainer/loop/loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/decimal.h"
#include "dstore/error.h"
#include "trainer/loop/evaluate.h"
#include "trainer/loop/interrupt.h"
#include "trainer/text/philox.h"

namespace dstore {
namespace {

double process_cpu_seconds() {
  struct timespec time = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Wall and CPU time since it was made.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  double cpu_seconds() const { return process_cpu_seconds() - cpu_start_; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
  double cpu_start_ = process_cpu_seconds();
};

constexpr long kReadingsEvery = 50;
constexpr std::size_t kExamplesNote = 256;

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

constexpr double kNoMerit = -std::numeric_limits<double>::infinity();

/// Higher is better, but an error. A metric without a value (a correlation with a constant) is worse than any.
double merit(const MetricValue& metric) {
  if (std::isnan(metric.value)) return kNoMerit;
  return metric.name == "mse" ? -metric.value : metric.value;
}

class Loop {
 public:
  Loop(Network& network, Training& training, const TaskData& data, const LoopOptions& options, Progress& progress)
      : network_(network), training_(training), data_(data), options_(options), progress_(progress), batches_(data, options) {}

  LoopResult run(const std::vector<PhaseName>& phases) {
    const std::vector<long> counts = phase_steps(phases, options_.steps);
    for (std::size_t phase = 0; phase < phases.size() && !interrupted(); ++phase) {
      const Stopwatch stopwatch;
      readings_.clear();
      training_.begin_phase(phase);
      count_time(stopwatch);
      for (long i = 0; i < counts[phase] && !interrupted(); ++i) {
        one_step(phases[phase].name, i, counts[phase]);
        const bool last = i + 1 == counts[phase];
        const bool due = options_.eval_every > 0 && result_.steps_done % options_.eval_every == 0;
        if (data_.dev && training_.presentable() && (due || last) && !interrupted()) evaluate_dev(phase + 1 == phases.size() && last);
      }
    }
    result_.interrupted = interrupted();
    if (!result_.interrupted) choose_result();
    const std::size_t n = losses_.size(), window = std::min<std::size_t>(20, n);
    result_.loss_first = mean(losses_, 0, window);
    result_.loss_last = mean(losses_, n - window, n);
    progress_.finish();
    return std::move(result_);
  }

 private:
  double count_time(const Stopwatch& stopwatch) {
    const double spent = stopwatch.seconds();
    result_.seconds += spent;
    result_.cpu_seconds += stopwatch.cpu_seconds();
    return spent;
  }

  void one_step(std::string_view phase, long i, long count) {
    const Stopwatch stopwatch;
    const double loss = network_.loss_and_gradients(batches_.next(), static_cast<std::uint32_t>(result_.steps_done));
    if (!std::isfinite(loss)) fail_not_finite("the loss", result_.steps_done + 1);
    training_.step({result_.steps_done, i, count});
    ++result_.steps_done;
    const double spent = count_time(stopwatch);
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

  /// The best step's values, checked: the last update has had no loss after it.
  void choose_result() {
    if (result_.best_step != 0 && best_ == kNoMerit) {
      progress_.warn("warning: no evaluation on --dev gave a number (all predictions alike); the last step is kept");
    }
    if (result_.best_step != 0 && result_.best_step != result_.steps_done) training_.restore_best();
    std::vector<std::uint32_t> few(std::min(options_.batch, data_.train.examples.size()));
    std::iota(few.begin(), few.end(), 0u);
    for (const float logit : network_.logits(make_batch(data_.train, few, data_.pad_id))) {
      if (!std::isfinite(logit)) fail_not_finite("the model's output", result_.steps_done);
    }
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
    const Predictions predictions = predict_as_stored(network_, *data_.dev, data_.pad_id);
    if (interrupted()) return;
    if (!predictions.finite()) fail_not_finite("the model's output on --dev", result_.steps_done);
    const std::vector<MetricValue> metrics = score(predictions, *data_.dev);
    const double value = merit(metrics.front());
    nlohmann::ordered_json record = {{"event", "dev"}, {"step", result_.steps_done}};
    for (const MetricValue& metric : metrics) record[metric.name] = metric.value;
    result_.log.push_back(record.dump());
    progress_.note("dev " + metrics.front().name + " " + shortest_decimal(std::round(metrics.front().value * 1e4) / 1e4) + " after step " + std::to_string(result_.steps_done));
    const bool better = value > best_ || (value == kNoMerit && best_ == kNoMerit);
    if (result_.best_step != 0 && !better) return;
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

void fail_not_finite(std::string_view what, long step) {
  throw Error(ErrorCode::invalid_argument, std::string(what) + " is not finite at step " + std::to_string(step) + ": try a lower --lr; nothing is staged");
}

void give_examples(MethodOptions& options, const TaskData& data, std::function<void(const std::string&)> note) {
  std::vector<std::uint32_t> order(data.train.examples.size());
  std::iota(order.begin(), order.end(), 0u);
  PhiloxSequence sequence(Philox(options.seed, RandomStream::selection));
  shuffle(std::span(order), sequence);
  options.examples = order.size();
  options.example = [&data, order = std::move(order), note = std::move(note)](std::size_t i) -> std::optional<Batch> {
    if (interrupted()) return std::nullopt;
    if (note && i > 0 && i % kExamplesNote == 0) note("looked at " + std::to_string(i) + " training examples before the first step");
    return make_batch(data.train, std::span(order).subspan(i, 1), data.pad_id);
  };
}

LoopResult run_loop(Network& network, Training& training, const std::vector<PhaseName>& phases, const TaskData& data,
                    const LoopOptions& options, Progress& progress) {
  return Loop(network, training, data, options, progress).run(phases);
}

}  // namespace dstore
