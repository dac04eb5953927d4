#pragma once

#include <string>

#include "base/filesystem.h"
#include "object/evaluation.h"

namespace dstore::cli {

/// What a measurement's JSON says: {data: a file's name, data_sha256, n, metrics{name: number, or text of one}, and if it likes split
/// and environment{name: text}}. What dstore-train leaves, or another program (docs/evaluations.md). Without data_sha256 the file `data`, in
/// `directory`, is read for it; without a split it is the file's name up to its last dot. Commits, evaluator and time are left open.
/// Error{invalid_argument} that names `what`.
Evaluation read_measurement(Filesystem& fs, const std::string& path, const std::string& directory, const std::string& what);

}  // namespace dstore::cli
