#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "odb/ref_name.h"

namespace dstore::cli {

/// Data to train and measure on. Paths are as typed.
struct StudyTask {
  std::string name;
  std::string train, dev, test;
  std::string format, text_column, pair_column, label_column;
  std::string rates_of;               ///< the task whose learning rates count here too; empty: its own
  std::vector<std::string> methods;   ///< empty: all
  std::optional<std::uint64_t> steps, eval_every;  ///< else the study's
  bool sweep = true;
  bool runs(const std::string& method) const;
};

/// One way of training: a method of dstore-train with its settings.
struct StudyMethod {
  std::string name;
  std::string method;
  std::optional<double> density;
  std::vector<double> sweep;  ///< further densities, with the learning rate chosen at `density`
  std::vector<std::uint64_t> sweep_seeds;  ///< empty: those of the study
  std::map<std::string, std::string> settings;
  std::string train;  ///< a selector
  std::vector<double> rates;  ///< candidates; one is taken as it is, none is the method's own
  std::string rate_setting;   ///< the setting that they are values of; empty: --lr
  std::optional<double> head_rate;
};

/// Asks for the difference of two methods' accuracies on a task's test texts.
struct StudyQuestion {
  enum class Kind { at_least, above, within };
  std::string ask, task, compare, with;
  Kind kind = Kind::at_least;
  double points = 0;  ///< per cent
};

/// What a file asks to be run (docs/study.md).
struct Study {
  std::string name, base, prefix;
  std::string against;  ///< the method that the others are compared with; else full, or the first
  std::uint64_t steps = 0, batch = 32, max_length = 128, eval_every = 0, train_sample = 0, threads = 0;
  std::uint64_t rate_steps = 0, rate_seed = 1;  ///< of the runs that choose a learning rate
  std::vector<std::uint64_t> seeds;
  std::vector<StudyTask> tasks;
  std::vector<StudyMethod> methods;
  std::vector<StudyQuestion> questions;
  std::string sha256;  ///< of the file

  const StudyTask& task(const std::string& name) const;           ///< one that is there
  const StudyMethod* method(const std::string& name) const;       ///< null: there is none
};

/// Error{invalid_argument} with file, line and what is wrong: also where names do not go together.
Study read_study(Filesystem& fs, const std::string& path);

/// A density in per cent: "0.5".
std::string density_name(double density);
/// "above 0 points".
std::string condition_text(const StudyQuestion& question);

}  // namespace dstore::cli
