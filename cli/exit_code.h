#pragma once

#include <string>

#include "dstore/error.h"

namespace dstore::cli {

// Exit statuses; the same in dstore-train. Documented in `dstore --help` and README.
inline constexpr int kSuccess = 0;
inline constexpr int kFindings = 1;  ///< the command ran and its answer is "no": differences, nothing to commit
inline constexpr int kInterrupted = 130;

int exit_code(ErrorCode code);
/// "  2  invalid argument ..." for --help, one line each.
std::string exit_code_table();

}  // namespace dstore::cli
