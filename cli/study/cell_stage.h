#pragma once

#include <utility>

#include "study/cells.h"

namespace dstore::cli {

/// A side file of a study's commits: what was right, and how the score on dev grew (docs/study.md).
inline constexpr const char* kDetailsFile = "dstore-study.json";

struct CellDetails {
  std::string correct;  ///< a '1' or '0' for each test text
  std::vector<std::pair<std::uint64_t, double>> curve;  ///< step, score on dev
};

/// Adds to what the trainer left in `folder` the cell's facts and details. Error{conflict} if it read other data than the study's.
void complete_stage(Filesystem& fs, const std::string& folder, const Cells& cells, const Cell& cell, double seconds);
/// Makes a stage of the base as it is, for a cell that cannot be trained.
void write_failed_stage(Filesystem& fs, const std::string& folder, const Cells& cells, const Cell& cell, const std::string& error);
/// Of a commit that complete_stage() was part of. Error{corrupt} otherwise.
CellDetails read_details(const Repository& repository, const Cell& cell);

}  // namespace dstore::cli
