#pragma once

#include "command.h"
#include "merge/parameters.h"

namespace dstore::cli {

/// A method's parameters: --weights, --density, --set KEY=VALUE.
MergeSettings::Given given_merge_parameters(const Arguments& arguments);

}  // namespace dstore::cli
