#pragma once

#include "command.h"
#include "study/study_file.h"

namespace dstore::cli {

/// Runs the cells that are left, one after another, each into a commit. 0: none of those chosen is left; 1: some are. A cell whose training
/// cannot be done (a loss that is not finite) is committed as failed and does not stop the others. --only, --max-minutes.
int run_study(const Arguments& arguments, Session& session, const Study& study);

}  // namespace dstore::cli
