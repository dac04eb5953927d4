#include "trainer/loop/loop.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/decimal.h"
#include "dstore/error.h"
#include "trainer/loop/batch_stream.h"
#include "trainer/loop/evaluate.h"
#include "trainer/loop/interrupt.h"
#include "trainer/loop/stopwatch.h"
#include "trainer/text/philox.h"

namespace dstore {
namespace {

constexpr long kReadingsEvery = 50;
constexpr std::size_t kExamplesNote = 256;
constexpr double kLeastTrainingPerSaving = 20;  ///< of the time, where nobody said how often to save

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

void exchange_metrics(StateArchive& archive, std::string_view name, std::vector<MetricValue>& metrics) {
  std::uint64_t count = metrics.size();
  archive.value(name, count);
  StateArchive::require(count < 100, name);
  metrics.resize(count);
  for (MetricValue& metric : metrics) {
    archive.text("metric.name", metric.name);
    archive.value("metric.value", metric.value);
  }
}

class Loop {
 public:
  Loop(Network& network, Training& training, const std::vector<PhaseName>& phases, const TaskData& data, const LoopOptions& options,
       Progress& progress)
      : network_(network), training_(training), phases_(phases), counts_(phase_steps(phases, options.steps)), data_(data), options_(options),
        progress_(progress), batches_(data, options) {}

  LoopResult run() {
    if (options_.saving && options_.saving->from) go_on();
    if (options_.log != nullptr) options_.log->begin(log_size_);
    evaluate_if_due();
    while (!interrupted() && result_.stopped_early == 0) {
      if (!begun_) {
        begin_phase();
      } else if (phase_step_ < counts_[phase_]) {
        one_step();
        evaluate_if_due();
        if (options_.saving && !interrupted() && saving_is_due()) save();
      } else if (!last_phase()) {
        ++phase_;
        phase_step_ = 0;
        begun_ = false;
      } else {
        break;
      }
    }
    result_.interrupted = interrupted();
    if (result_.interrupted && options_.saving && begun_ && phase_step_ > 0) save();
    if (!result_.interrupted) choose_result();
    const std::size_t n = losses_.size(), window = std::min<std::size_t>(20, n);
    result_.loss_first = mean(losses_, 0, window);
    result_.loss_last = mean(losses_, n - window, n);
    progress_.finish();
    return std::move(result_);
  }

 private:
  bool last_phase() const { return phase_ + 1 == counts_.size(); }
  bool finished() const { return result_.stopped_early != 0 || (last_phase() && phase_step_ == counts_[phase_]); }

  double count_time(const Stopwatch& stopwatch) {
    const double spent = stopwatch.seconds();
    result_.seconds += spent;
    result_.cpu_seconds += stopwatch.cpu_seconds();
    return spent;
  }

  void begin_phase() {
    const Stopwatch stopwatch;
    readings_.clear();
    training_.begin_phase(phase_);
    begun_ = true;
    count_time(stopwatch);
  }

  void one_step() {
    const Stopwatch stopwatch;
    const long count = counts_[phase_];
    const double loss = network_.loss_and_gradients(batches_.next(), static_cast<std::uint32_t>(result_.steps_done));
    if (!std::isfinite(loss)) stop_not_finite("the loss", result_.steps_done + 1);
    nlohmann::ordered_json record = {{"event", "step"}, {"step", result_.steps_done + 1}, {"phase", phases_[phase_].name}, {"loss", loss}};
    if (options_.rate) record["lr"] = options_.rate(phase_step_, count);
    training_.step({result_.steps_done, phase_step_, count});
    ++result_.steps_done;
    ++phase_step_;
    record["seconds"] = count_time(stopwatch);
    losses_.push_back(loss);
    if (result_.steps_done % kReadingsEvery == 0 || phase_step_ == count) {
      readings_ = training_.readings();
      for (const Reading& reading : readings_) record[reading.name] = reading.value;
    }
    write_log(record);
    progress_.step(result_.steps_done, phases_[phase_].name, loss, readings_);
    warn_if_stuck();
  }

  void write_log(const nlohmann::ordered_json& record) {
    if (options_.log != nullptr) options_.log->write(record);
    if (options_.events != nullptr) options_.events->write(record);
  }

  /// All that later steps and the result depend on.
  void exchange_state(StateArchive& archive) {
    archive.value("loop.steps_done", result_.steps_done);
    archive.value("loop.phase", phase_);
    archive.value("loop.phase_step", phase_step_);
    archive.value("loop.seconds", result_.seconds);
    archive.value("loop.cpu_seconds", result_.cpu_seconds);
    archive.list("loop.losses", losses_, static_cast<std::size_t>(options_.steps));
    archive.value("loop.best", best_);
    archive.value("loop.best_step", result_.best_step);
    archive.value("loop.evaluated", evaluated_);
    archive.value("loop.fruitless", fruitless_);
    archive.value("loop.stopped_early", result_.stopped_early);
    archive.value("loop.log_size", log_size_);
    exchange_metrics(archive, "loop.dev_best", result_.dev_best);
    exchange_metrics(archive, "loop.dev_last", result_.dev_last);
    StateArchive::require(phase_ < counts_.size() && phase_step_ <= counts_[phase_], "loop.phase");
    batches_.exchange_state(archive);
    training_.exchange_state(archive);
  }

  bool saving_is_due() const {
    const Saving& saving = *options_.saving;
    if (saving.every > 0) return result_.steps_done % saving.every == 0 || finished();
    return since_saved_.seconds() >= std::max(saving.every_seconds, kLeastTrainingPerSaving * saving_seconds_);
  }

  void save() {
    const Stopwatch stopwatch;
    save_state();
    saving_seconds_ = stopwatch.seconds();
    since_saved_ = Stopwatch();
  }

  void save_state() {
    const Saving& saving = *options_.saving;
    if (result_.saved_step == result_.steps_done && evaluated_when_saved_ == evaluated_) return;
    if (options_.log != nullptr) {
      log_size_ = options_.log->size();
      options_.log->sync();
    }
    try {
      saving.folder.save(result_.steps_done, saving.run, [this](StateArchive& archive) { exchange_state(archive); });
    } catch (const Error& error) {
      if (error.code() != ErrorCode::io) throw;
      const std::string what = "cannot save the training after step " + std::to_string(result_.steps_done) + ": " + error.what();
      if (saving.every == 0) return progress_.warn("warning: " + what);  // nobody asked for it
      const std::string how = "; with more room " + resume_command(saving.folder.task()) + " goes on after step " + std::to_string(result_.saved_step);
      throw Error(ErrorCode::io, what + (result_.saved_step == 0 ? "" : how));
    }
    result_.saved_step = result_.steps_done;
    evaluated_when_saved_ = evaluated_;
  }

  void go_on() {
    const Saving& saving = *options_.saving;
    saving.folder.load(*saving.from, saving.run, [this](StateArchive& archive) { exchange_state(archive); });
    begun_ = true;
    result_.saved_step = result_.steps_done;
    evaluated_when_saved_ = evaluated_;
    progress_.go_on_from(result_.steps_done);
  }

  /// What the values after the last step give is not finite: a state of that step would only break off again.
  [[noreturn]] void stop_not_finite(std::string_view what, long step) {
    if (!options_.saving) fail_not_finite(what, step);
    RunFolder& folder = options_.saving->folder;
    const auto left = folder.not_finite_after(result_.steps_done);
    const std::string resume = resume_command(folder.task());
    const std::string advice = left ? "; the last good state is that after step " + std::to_string(*left) + ": go on from it with " + resume +
                                          " and a lower --lr"
                                    : "; no good state was saved before: " + resume + " with a lower --lr begins anew";
    throw Error(ErrorCode::invalid_argument, std::string(what) + " is not finite at step " + std::to_string(step) + advice);
  }

  /// The best step's values, checked: the last update has had no loss after it.
  void choose_result() {
    if (result_.best_step != 0 && best_ == kNoMerit) {
      progress_.warn("warning: no evaluation on --dev gave a number (all predictions alike); the last step is kept");
    }
    if (result_.best_step != 0 && result_.best_step != result_.steps_done && !options_.keep_last) training_.restore_best();
    std::vector<std::uint32_t> few(std::min(options_.batch, data_.train.examples.size()));
    std::iota(few.begin(), few.end(), 0u);
    for (const float logit : network_.logits(make_batch(data_.train, few, data_.pad_id))) {
      if (!std::isfinite(logit)) stop_not_finite("the model's output", result_.steps_done);
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

  /// Also where an interrupt cut the evaluation of the saved step short.
  void evaluate_if_due() {
    if (!data_.dev || !begun_ || phase_step_ == 0 || evaluated_ == result_.steps_done) return;
    const bool due = options_.eval_every > 0 && result_.steps_done % options_.eval_every == 0;
    if (!interrupted() && training_.presentable() && (due || phase_step_ == counts_[phase_])) evaluate_dev();
  }

  void evaluate_dev() {
    const Predictions predictions = predict_as_stored(network_, *data_.dev, data_.pad_id);
    if (interrupted()) return;
    if (!predictions.finite()) stop_not_finite("the model's output on --dev", result_.steps_done);
    const std::vector<MetricValue> metrics = score(predictions, *data_.dev);
    const double value = merit(metrics.front());
    nlohmann::ordered_json record = {{"event", "dev"}, {"step", result_.steps_done}};
    for (const MetricValue& metric : metrics) record[metric.name] = metric.value;
    write_log(record);
    progress_.note("dev " + metrics.front().name + " " + shortest_decimal(std::round(metrics.front().value * 1e4) / 1e4) + " after step " +
                   std::to_string(result_.steps_done));
    evaluated_ = result_.steps_done;
    result_.dev_last = metrics;
    const bool first = result_.best_step == 0;
    const bool better = first || value > best_ || (value == kNoMerit && best_ == kNoMerit);
    const bool enough = first || value > best_ + options_.min_delta;
    if (better) {
      best_ = value;
      result_.best_step = result_.steps_done;
      result_.dev_best = metrics;
      if (!finished()) training_.keep_best();
    }
    fruitless_ = enough || !last_phase() ? 0 : fruitless_ + 1;
    if (options_.patience > 0 && fruitless_ >= options_.patience && last_phase() && !finished()) stop_early();
  }

  void stop_early() {
    result_.stopped_early = result_.steps_done;
    progress_.note("stops after step " + std::to_string(result_.steps_done) + ": no improvement on --dev in " + std::to_string(fruitless_) +
                   (fruitless_ == 1 ? " evaluation" : " evaluations"));
    write_log({{"event", "stop"}, {"step", result_.steps_done}, {"reason", "no improvement on dev"}});
  }

  Network& network_;
  Training& training_;
  const std::vector<PhaseName>& phases_;
  std::vector<long> counts_;  ///< steps of each phase
  const TaskData& data_;
  const LoopOptions& options_;
  Progress& progress_;
  BatchStream batches_;
  LoopResult result_;
  std::vector<double> losses_;
  std::vector<Reading> readings_;
  std::uint64_t phase_ = 0;
  long phase_step_ = 0;  ///< done, of the phase
  bool begun_ = false;   ///< the phase
  double best_ = 0;
  long evaluated_ = 0;  ///< the step of the last evaluation
  long evaluated_when_saved_ = 0;
  Stopwatch since_saved_;
  double saving_seconds_ = 0;  ///< what the last one took
  long fruitless_ = 0;  ///< evaluations since the last improvement
  std::uint64_t log_size_ = 0;
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
  throw Error(ErrorCode::invalid_argument, std::string(what) + " is not finite at step " + std::to_string(step) +
              ": try a lower --lr; nothing is staged");
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
  return Loop(network, training, phases, data, options, progress).run();
}

}  // namespace dstore
