#pragma once

#include "command.h"
#include "merge/parameters.h"

namespace dstore::cli {

/// At commas; empty parts stay.
std::vector<std::string> split_list(const std::string& text);
/// A method's parameters: --weights, --density, --preset, --set KEY=VALUE.
MergeSettings::Given given_merge_parameters(const Arguments& arguments);

}  // namespace dstore::cli
