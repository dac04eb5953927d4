#pragma once

#include <memory>

#include "trainer/loop/options.h"
#include "trainer/loop/run_folder.h"

namespace dstore {

/// `dstore train`: trains and writes the stage folder. Returns 0, or 130 after an interrupt (nothing is staged then). `folder`: of the run
/// that goes on.
int run_training(const TrainOptions& options, std::unique_ptr<RunFolder> folder = nullptr);

}  // namespace dstore
