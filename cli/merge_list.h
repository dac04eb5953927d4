#pragma once

#include "merge/merge_method.h"
#include "session.h"

namespace dstore::cli {

/// --list-methods: with --json an array of {method, summary, parameters: {name: default}}.
int list_merge_methods(const Session& session);
/// The parameters of one method, with what they mean: with --json an array of {parameter, default, per_model, choices, summary}.
int list_merge_parameters(const Session& session, const MergeMethod& method);

}  // namespace dstore::cli
