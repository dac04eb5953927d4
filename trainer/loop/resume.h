#pragma once

#include <memory>
#include <optional>

#include "trainer/loop/options.h"
#include "trainer/loop/run_folder.h"
#include "trainer/loop/task_data.h"
#include "trainer/methods/method.h"

namespace dstore {

/// With all that decides the run but its base and data.
RunRecord new_record(const TrainOptions& options, const MethodRow& method, const MethodOptions& final_options, const Settings& settings,
                     const TaskData& data, Pooling pooling, long eval_every);
/// As --save-every says; without it, wherever there is a place for it.
bool saves(const TrainOptions& options);
/// Error{conflict} where a run of the name is unfinished and has a saved state, unless --restart.
std::unique_ptr<RunFolder> new_run_folder(const TrainOptions& options);
/// Writes the run's record; of a run that goes on checks it first: Error{invalid_argument} that says what is not as it was. The saved step
/// to go on from, if any.
std::optional<long> settle_run(const TrainOptions& options, RunFolder& folder, RunRecord& record);

/// Error{invalid_argument} where another method is asked for than the run was started with: its settings would make no sense.
void require_method(const TrainOptions& options, const RunFolder& folder);
/// Error{invalid_argument} that names the files whose digests are not the recorded ones.
void require_data(const std::string& recorded, const std::string& now, const std::string& what);

}  // namespace dstore
