#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "trainer/loop/run_config.h"
#include "trainer/methods/state.h"

namespace dstore {

/// What a run is: equal runs have equal ids, and a saved state fits only the run that saved it.
struct RunRecord {
  std::string base;       ///< commit id; empty for a folder
  std::string data;       ///< digests of the data files
  std::string directory;  ///< where the paths of the config begin
  RunConfig config;       ///< resolved
  std::string changes;    ///< of rates, on the way

  ObjectId id() const;
  /// The config with paths that are right in this process's directory.
  RunConfig config_here() const;
};

/// The folder of a training that can be resumed (spec/repository.md, "Runs"). One process at a time holds it.
class RunFolder {
 public:
  using Exchange = std::function<void(StateArchive&)>;

  /// Makes the folder; removes what a killed process left half-written. Error{conflict} where another process is at work in it. `task` is
  /// for messages.
  RunFolder(std::string path, std::string task);

  const std::string& path() const { return path_; }
  const std::string& task() const { return task_; }
  bool started() const;
  RunRecord record() const;
  /// Also keeps the base from collections.
  void write_record(const RunRecord& record);
  /// Forgets the run.
  void clear();

  /// Steps of the saved states, ascending.
  std::vector<long> saved_steps() const;
  /// Durable before the states but the last two are removed.
  void save(long step, const ObjectId& run, const Exchange& exchange);
  /// Error{corrupt} for a damaged state and one of another run, {not_found} without a state of that step.
  void load(long step, const ObjectId& run, const Exchange& exchange) const;
  /// The training broke off in the step after `step`: a state of `step` is removed (going on from it breaks off again), and the rates may
  /// differ from here on. Gives the step of the newest state that is left.
  std::optional<long> not_finite_after(long step);
  bool rates_may_differ() const;
  /// States of later steps go away: they are of other rates.
  void remove_after(long step);

 private:
  std::string file(const char* name) const { return join_path(path_, name); }

  std::string path_, task_;
  std::unique_ptr<File> lock_;
};

/// "dstore train --resume TASK": how to go on.
std::string resume_command(const std::string& task);

}  // namespace dstore
