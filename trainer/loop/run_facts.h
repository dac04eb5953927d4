#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "trainer/loop/loop.h"
#include "trainer/loop/options.h"
#include "trainer/loop/result.h"
#include "trainer/loop/task_data.h"
#include "trainer/methods/method.h"

namespace dstore {

/// What a commit says of its training, by name.
using Facts = std::map<std::string, std::string>;

/// "train=SHA256 dev=SHA256 test=SHA256" of the files that there are.
std::string digests(const TaskData& data);
/// What is known before the first step.
Facts run_facts(const TrainOptions& options, const MethodRow& method, const MethodOptions& final_options, const Settings& settings,
                const TaskData& data, Pooling pooling, long steps, long eval_every);
/// What is known after the last. `trainable`: before it, head included.
void add_outcome(Facts& facts, const LoopResult& loop, const Training& training, const ChangedCounts& counts, std::uint64_t trainable,
                 const std::string& keep);

}  // namespace dstore
