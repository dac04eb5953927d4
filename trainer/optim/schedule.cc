#include "trainer/optim/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/bytes.h"
#include "base/decimal.h"
#include "dstore/error.h"

namespace dstore {
namespace {

/// `done` of `steps` steps since the warmup; steps >= 0.
double linear(double done, double steps, double) { return std::max(0.0, (steps - done) / std::max(1.0, steps)); }
double constant(double, double, double) { return 1; }
double cosine(double done, double steps, double) {
  return std::max(0.0, 0.5 * (1 + std::cos(3.14159265358979323846 * (done / std::max(1.0, steps)))));
}
double polynomial(double done, double steps, double power) { return std::pow(linear(done, steps, power), power); }

struct ScheduleRow {
  Schedule::Shape shape;
  std::string_view name;
  double (*after_warmup)(double done, double steps, double power);
};
constexpr std::array kSchedules = {
    ScheduleRow{Schedule::Shape::linear, "linear", linear},
    ScheduleRow{Schedule::Shape::constant, "constant", constant},
    ScheduleRow{Schedule::Shape::cosine, "cosine", cosine},
    ScheduleRow{Schedule::Shape::polynomial, "polynomial", polynomial},
};

const ScheduleRow& row_of(const Schedule& schedule) { return kSchedules[static_cast<std::size_t>(schedule.shape)]; }

}  // namespace

std::string schedule_name(const Schedule& schedule) {
  const std::string name(row_of(schedule).name);
  return schedule.shape == Schedule::Shape::polynomial ? name + ":" + shortest_decimal(schedule.power) : name;
}

Schedule parse_schedule(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  for (const ScheduleRow& row : kSchedules) {
    if (row.name != name) continue;
    if (colon == std::string_view::npos) return {row.shape, 1};
    const auto power = parse_number(text.substr(colon + 1));
    if (row.shape == Schedule::Shape::polynomial && power && *power > 0) return {row.shape, *power};
  }
  throw Error(ErrorCode::invalid_argument, "unknown schedule \"" + printable(text) + "\" (linear, constant, cosine, polynomial, polynomial:POWER)");
}

double schedule_factor(const Schedule& schedule, long step, long warmup, long total) {
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(std::max(1L, warmup));
  return row_of(schedule).after_warmup(static_cast<double>(step - warmup), static_cast<double>(total - warmup), schedule.power);
}

}  // namespace dstore
