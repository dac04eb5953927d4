#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace dstore {

enum class TaskKind { classification, multi_label, regression };

struct TaskInfo {
  TaskKind kind;
  std::string_view name;          ///< of --task
  std::string_view problem_type;  ///< of config.json, as transformers reads and writes it
};

std::span<const TaskInfo> task_infos();
const TaskInfo& task_info(TaskKind kind);
/// Error{invalid_argument} that lists the names.
TaskKind parse_task(std::string_view name);

}  // namespace dstore
