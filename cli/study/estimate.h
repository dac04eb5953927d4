#pragma once

#include "study/cells.h"

namespace dstore::cli {

/// Wall seconds that a cell took; nullopt unless it is done.
std::optional<double> seconds_of(const Cell& cell);
/// What a cell will take by what others took for each of their steps: those of its method, else any. Nullopt where none is done.
std::optional<double> estimated_seconds(const Cells& cells, const Cell& cell);

}  // namespace dstore::cli
