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

  const ObjectId& base() const { return base_; }
  /// What a successful run() left: stage.json, tensors.safetensors, files/, train.jsonl.
  const std::string& folder() const { return folder_; }

  /// `rest`: as after `dstore train`, the revision first. The trainer's exit status; the folder is removed unless it is 0.
  int run(const std::vector<std::string>& rest, const TrainerLine& line = {});
  /// Publishes the folder as the stage of that name.
  void stage(const RefName& name);

 private:
  const Session& session_;
  Repository& repository_;
  ObjectId base_;
  Lease lease_;
  std::string folder_;
};

}  // namespace dstore::cli
