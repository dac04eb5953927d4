#pragma once

#include "trainer/loop/options.h"

namespace dstore {

/// `dstore predict`: a line for each row of the data as soon as its text is there. Returns 0, or 130 after an interrupt; an output file
/// appears whole or not at all.
int run_prediction(const PredictOptions& options);

}  // namespace dstore
