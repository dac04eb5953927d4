#pragma once

#include "commit_view.h"

namespace dstore::cli {

/// Sorts by `field`: "time", "size", "density", "method" or a metric's name; "-field" puts the greatest first. Commits
/// without that value come last either way; equal ones keep their order. Error{invalid_argument} if no commit has it.
void sort_commits(const std::string& field, std::vector<const CommitFacts*>& commits);

}  // namespace dstore::cli
