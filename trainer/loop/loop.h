#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trainer/loop/progress.h"
#include "trainer/loop/task_data.h"
#include "trainer/methods/method.h"
#include "trainer/text/metrics.h"

namespace dstore {

struct LoopOptions {
  std::uint64_t seed = 1;
  std::size_t batch = 32;
  long steps = 0;
  long eval_every = 0;  ///< never more often than this; always at the end
};

struct LoopResult {
  long steps_done = 0;
  bool interrupted = false;
  double loss_first = 0, loss_last = 0;  ///< means over the first and last (up to) 20 steps
  double seconds = 0;                    ///< training alone, without evaluations
  double cpu_seconds = 0;                ///< the same of all threads: what a busy machine does not stretch
  long best_step = 0;                    ///< 0: never measured on dev
  std::vector<MetricValue> dev;               ///< of the best step
  std::vector<std::string> log;          ///< one JSON object a line
};

/// The one loop of all methods: batches, forward and backward, the method's step, evaluation on dev, the best kept. Stops
/// cleanly after the step in which interrupted() begins. Error{invalid_argument} naming the step where the loss or, at the
/// end, an output is not finite.
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
