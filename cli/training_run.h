#pragma once

#include <string>
#include <vector>

#include "repo/commit_task.h"
#include "trainer_process.h"

namespace dstore::cli {

/// Trains a task on a commit, in a folder of its own under the repository's tmp/. While it lives no collection removes what it needs.
class TrainingRun {
 public:
  /// Error{not_found} or {untrusted} of the commit. The repository must outlive it.
  TrainingRun(const Session& session, Repository& repository, const std::string& revision);
  /// What was trained is a run of the repository, which may be saved on the way, or go on (spec/repository.md, "Runs").
  void save_as(const RefName& name, bool resume);

  const ObjectId& base() const { return base_; }
  /// What a successful run() left: stage.json, tensors.safetensors, files/, train.jsonl.
  const std::string& folder() const { return folder_; }

  /// `rest`: as after `dstore train`, the revision first. The trainer's exit status; the folder is removed unless it is 0.
  int run(const std::vector<std::string>& rest, const TrainerLine& line = {});
  /// Publishes the folder as the stage of that name; its saved run is not needed any more.
  void stage(const RefName& name);

 private:
  const Session& session_;
  Repository& repository_;
  ObjectId base_;
  Lease lease_;
  std::string folder_;
  std::string run_;                 ///< folder of the saved run
  std::vector<std::string> words_;  ///< for the trainer
};

/// The commit that an unfinished run was started on. Error{not_found}.
ObjectId base_of_run(const Repository& repository, const RefName& name);

}  // namespace dstore::cli
