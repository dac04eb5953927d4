#pragma once

#include <string>

#include "task_stats.h"

namespace dstore::cli {

/// One page about tasks, complete in itself. The same tasks give the same bytes.
std::string report_html(const Repository& repository, const ComparedTasks& compared);
/// Written as a whole or not at all.
void write_report(const Repository& repository, const ComparedTasks& compared, const std::string& path);

}  // namespace dstore::cli
