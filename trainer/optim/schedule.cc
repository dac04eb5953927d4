#include "trainer/optim/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

/// `done` of `steps` steps since the warmup; steps >= 0.
double linear(double done, double steps) { return std::max(0.0, (steps - done) / std::max(1.0, steps)); }
double constant(double, double) { return 1; }
double cosine(double done, double steps) {
  return std::max(0.0, 0.5 * (1 + std::cos(3.14159265358979323846 * (done / std::max(1.0, steps)))));
}

struct ScheduleRow {
  Schedule schedule;
  std::string_view name;
  double (*after_warmup)(double done, double steps);
};
constexpr std::array kSchedules = {
    ScheduleRow{Schedule::linear, "linear", linear},
    ScheduleRow{Schedule::constant, "constant", constant},
    ScheduleRow{Schedule::cosine, "cosine", cosine},
};

}  // namespace

std::string_view schedule_name(Schedule schedule) { return kSchedules[static_cast<std::size_t>(schedule)].name; }

Schedule parse_schedule(std::string_view name) {
  for (const ScheduleRow& row : kSchedules) {
    if (row.name == name) return row.schedule;
  }
  throw Error(ErrorCode::invalid_argument, "unknown schedule \"" + printable(name) + "\" (linear, constant, cosine)");
}

double schedule_factor(Schedule schedule, long step, long warmup, long total) {
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(std::max(1L, warmup));
  return kSchedules[static_cast<std::size_t>(schedule)].after_warmup(static_cast<double>(step - warmup), static_cast<double>(total - warmup));
}

}  // namespace dstore
