#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trainer/loop/event_file.h"
#include "trainer/loop/progress.h"
#include "trainer/loop/run_folder.h"
#include "trainer/loop/task_data.h"
#include "trainer/loop/training_log.h"
#include "trainer/methods/method.h"
#include "trainer/text/metrics.h"

namespace dstore {

/// Where and how often a run is saved.
struct Saving {
  RunFolder& folder;
  ObjectId run;
  long every = 0;             ///< steps; also at the end and after an interrupt
  double every_seconds = 60;  ///< where `every` is 0: at least so far apart, and rarer where saving takes long; after an interrupt
  std::optional<long> from{}; ///< the saved step to go on from
};

struct LoopOptions {
  std::uint64_t seed = 1;
  std::size_t batch = 32;
  long steps = 0;
  long eval_every = 0;    ///< never more often than this; always at the end
  long patience = 0;      ///< evaluations without improvement after which the last phase ends; 0: no limit
  double min_delta = 0;   ///< what counts as improvement, above the best so far
  bool keep_last = false; ///< the result is the last step's, not the best on dev
  std::size_t buckets = kBucketBatches;
  std::optional<Saving> saving{};
  /// Learning rate of a phase's step, of so many, for the log.
  std::function<double(long step, long steps)> rate{};
  TrainingLog* log = nullptr;
  EventFile* events = nullptr;
};

struct LoopResult {
  long steps_done = 0;
  bool interrupted = false;
  double loss_first = 0, loss_last = 0;  ///< means over the first and last (up to) 20 steps
  double seconds = 0;                    ///< training alone, without evaluations
  double cpu_seconds = 0;                ///< the same of all threads: what a busy machine does not stretch
  long best_step = 0;                    ///< 0: never measured on dev
  std::vector<MetricValue> dev_best, dev_last;
  long stopped_early = 0;                ///< after that step, for want of improvement
  long saved_step = 0;                   ///< 0: nothing is saved
};

/// The one loop of all methods: batches, forward and backward, the method's step, evaluation on dev, the best kept. Stops
/// cleanly after the step in which interrupted() begins; saves there, if at all. What is saved goes on bit for bit. Error{invalid_argument}
/// naming the step where the loss or, at the end, an output is not finite.
LoopResult run_loop(Network& network, Training& training, const std::vector<PhaseName>& phases, const TaskData& data,
                    const LoopOptions& options, Progress& progress);

/// Lets a method look at the examples of `data`, which must outlive it, one by one; none any more after an interrupt. `note` hears of it
/// now and then.
void give_examples(MethodOptions& options, const TaskData& data, std::function<void(const std::string&)> note = {});

/// Error{invalid_argument}: "WHAT is not finite at step N: ...".
[[noreturn]] void fail_not_finite(std::string_view what, long step);

/// Steps of each phase: shares of the total, at least one, the last takes what is left.
std::vector<long> phase_steps(const std::vector<PhaseName>& phases, long total);

}  // namespace dstore
