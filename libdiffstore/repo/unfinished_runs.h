#pragma once

#include <string>
#include <vector>

#include "odb/ref_name.h"
#include "repo/repository.h"

namespace dstore {

/// Trainings that were saved on their way and are not finished (spec/repository.md, "Runs"). Their folders are the trainer's.
struct UnfinishedRun {
  std::string name;
  long step = 0;  ///< of the newest saved state; 0: none yet
};

/// Steps of the saved states in a run's folder, ascending.
std::vector<long> saved_steps(Filesystem& fs, const std::string& folder);
std::string state_path(const std::string& folder, long step);

std::string run_path(const Repository& repository, const RefName& name);
/// By name.
std::vector<UnfinishedRun> unfinished_runs(const Repository& repository);

}  // namespace dstore
