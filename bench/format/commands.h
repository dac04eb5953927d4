#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace dstore::bench {

using Arguments = std::vector<std::string>;

// One function per command of format_bench.cc; an Error where the arguments do not fit or a result is not exact.
Json run_profiles(const Arguments& arguments);
Json run_encode(const Arguments& arguments);
Json run_apply(const Arguments& arguments);
Json run_memory(const Arguments& arguments);
Json run_positions(const Arguments& arguments);
Json run_scatter(const Arguments& arguments);

}  // namespace dstore::bench
