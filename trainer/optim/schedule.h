#pragma once

#include <string>
#include <string_view>

namespace dstore {

/// Learning rate as a factor of its peak, equal to transformers' get_scheduler of the same name (polynomial: with lr_end = 0).
struct Schedule {
  enum class Shape { linear, constant, cosine, polynomial };
  Shape shape = Shape::linear;
  double power = 1;  ///< of polynomial: what the remaining share of the steps is raised to

  static const Schedule linear, constant;
};
inline constexpr Schedule Schedule::linear{};
inline constexpr Schedule Schedule::constant{Schedule::Shape::constant, 1};

/// "cosine", "polynomial:2".
std::string schedule_name(const Schedule& schedule);
/// Error{invalid_argument} that lists the names.
Schedule parse_schedule(std::string_view name);

/// Factor of step `step` (from 0) of `total`, after `warmup` steps that rise from 0.
double schedule_factor(const Schedule& schedule, long step, long warmup, long total);

}  // namespace dstore
