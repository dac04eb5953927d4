#pragma once

#include <string_view>

namespace dstore {

/// Learning rate as a factor of its peak, equal to transformers' get_scheduler of the same name.
enum class Schedule { linear, constant, cosine };

std::string_view schedule_name(Schedule schedule);
/// Error{invalid_argument} that lists the names.
Schedule parse_schedule(std::string_view name);

/// Factor of step `step` (from 0) of `total`, after `warmup` steps that rise from 0.
double schedule_factor(Schedule schedule, long step, long warmup, long total);

}  // namespace dstore
