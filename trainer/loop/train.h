#pragma once

#include "trainer/loop/options.h"

namespace dstore {

/// `dstore train`: trains and writes the stage folder. Returns 0, or 130 after an interrupt (nothing is written then).
int run_training(const TrainOptions& options);

}  // namespace dstore
