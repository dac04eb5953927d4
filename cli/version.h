#pragma once

#include <string>

namespace dstore::cli {

/// "dstore 0.1.0" and the versions of everything it was built with, one line each.
std::string version_text();

}  // namespace dstore::cli
