#pragma once

#include "trainer/loop/options.h"

namespace dstore {

/// `dstore stats fisher` and `dstore stats gram` (spec/merging.md, "Statistics files").
int run_statistics(const StatisticsOptions& options);

}  // namespace dstore
