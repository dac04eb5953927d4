#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "trainer/loop/run_config.h"

namespace dstore {

/// Options of `command` that a config may have: all but hidden ones and those of a single call (--help, --quiet, --resume, ...).
std::vector<std::string> config_keys(const CLI::App& command);
/// What the parsed command line gave, in canonical form.
RunConfig given_options(const CLI::App& command);
/// Words "--NAME=VALUE" for what the config has and the parsed command line neither gave nor excludes; --set's always.
std::vector<std::string> config_words(const CLI::App& command, const RunConfig& config);

}  // namespace dstore
