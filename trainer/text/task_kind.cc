#include "trainer/text/task_kind.h"

#include <string>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr TaskInfo kTasks[] = {
    {TaskKind::classification, "classification", "single_label_classification"},
    {TaskKind::multi_label, "multi-label", "multi_label_classification"},
    {TaskKind::regression, "regression", "regression"},
};

}  // namespace

std::span<const TaskInfo> task_infos() { return kTasks; }

const TaskInfo& task_info(TaskKind kind) { return kTasks[static_cast<std::size_t>(kind)]; }

TaskKind parse_task(std::string_view name) {
  std::string names;
  for (const TaskInfo& task : kTasks) {
    if (task.name == name) return task.kind;
    names += (names.empty() ? "" : ", ") + std::string(task.name);
  }
  throw Error(ErrorCode::invalid_argument, "--task " + printable(name) + ": one of " + names);
}

}  // namespace dstore
