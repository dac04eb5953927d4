#pragma once

#include "commit_view.h"
#include "repo/catalog.h"

namespace dstore::cli {

/// `dstore log --group-by FIELD`: a row for each task, method, base, signer, author or density, in the order of the commits
/// given, at most `limit`. --json: [{group, commits[ids], stored_bytes, newest, metric, least, greatest}]; metric is the one
/// that most of the group's commits are shown with, or null. Error{invalid_argument} for another field.
void print_groups(const Session& session, const std::string& field, Catalog& catalog, const RefView& refs,
                  const std::vector<const CommitFacts*>& commits, std::size_t limit);

}  // namespace dstore::cli
