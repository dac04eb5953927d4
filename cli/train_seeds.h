#pragma once

#include "command.h"
#include "odb/ref_name.h"

namespace dstore::cli {

/// `--seeds 1,2,3`. Error{invalid_argument} unless it is two or more different numbers, with commas.
std::vector<std::string> parse_seeds(const std::string& text);
RefName name_of_seed(const RefName& name, const std::string& seed);

/// Mean and sample standard deviation of each metric over the tasks.
struct SeedMetrics {
  /// Takes the metrics of one more task.
  void add(const std::vector<Metric>& metrics);
  void print(const Session& session, const std::vector<std::string>& names) const;

 private:
  struct Row {
    std::string split, name;
    std::vector<double> values;
  };
  std::vector<Row> rows_;
};

}  // namespace dstore::cli
