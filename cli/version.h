#pragma once

#include <string>

namespace dstore::cli {

/// "dstore 0.1.0" and the versions of everything it was built with, one line each.
std::string version_text();
/// "0.1.0".
std::string program_version();

}  // namespace dstore::cli
