#include "repo/unfinished_runs.h"

#include <algorithm>

namespace dstore {
namespace {

constexpr std::string_view kStatePrefix = "state-";

}  // namespace

std::vector<long> saved_steps(Filesystem& fs, const std::string& folder) {
  std::vector<long> steps;
  for (const std::string& name : fs.list(folder)) {
    const std::string digits = name.starts_with(kStatePrefix) ? name.substr(kStatePrefix.size()) : "";
    if (digits.empty() || digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos) continue;
    steps.push_back(std::stol(digits));
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::string state_path(const std::string& folder, long step) { return join_path(folder, std::string(kStatePrefix) + std::to_string(step)); }

std::string run_path(const Repository& repository, const RefName& name) { return repository.path("runs/" + name.encode()); }

std::vector<UnfinishedRun> unfinished_runs(const Repository& repository) {
  std::vector<UnfinishedRun> runs;
  Filesystem& fs = repository.fs();
  const std::string folder = repository.path("runs");
  if (!exists(fs, folder)) return runs;
  for (const std::string& entry : fs.list(folder)) {
    const std::string path = join_path(folder, entry);
    const auto name = RefName::decode(entry);
    if (!name || !exists(fs, join_path(path, "run.json"))) continue;
    const std::vector<long> steps = saved_steps(fs, path);
    runs.push_back({name->text(), steps.empty() ? 0 : steps.back()});
  }
  return runs;
}

}  // namespace dstore
