#pragma once

#include "command.h"
#include "commit_view.h"
#include "repo/catalog.h"

namespace dstore::cli {

/// Options of `dstore log` that choose commits.
const std::vector<OptionSpec>& filter_options();

/// Keeps the commits that every given option accepts. Error{invalid_argument} for an option that cannot be read, or that
/// names what no commit of the list has (with the nearest name).
void filter_commits(const Arguments& arguments, const Session& session, const Repository& repository, Catalog& catalog, const RefView& refs,
                    std::vector<const CommitFacts*>& commits);

}  // namespace dstore::cli
