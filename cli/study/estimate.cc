#include "study/estimate.h"

#include "base/decimal.h"

namespace dstore::cli {

std::optional<double> seconds_of(const Cell& cell) { return cell.is_done() ? parse_number(cell.content.fact(kSecondsFact)) : std::nullopt; }

std::optional<double> estimated_seconds(const Cells& cells, const Cell& cell) {
  bool (*const alike[])(const Cell&, const Cell&) = {
      [](const Cell& a, const Cell& b) { return a.method == b.method && a.candidate == b.candidate && a.steps == b.steps; },
      [](const Cell& a, const Cell& b) { return a.method == b.method; },
      [](const Cell&, const Cell&) { return true; },
  };
  for (const auto& is_alike : alike) {
    double seconds = 0, steps = 0;
    for (const Cell& other : cells.all()) {
      const auto spent = seconds_of(other);
      if (!spent || !is_alike(cell, other)) continue;
      seconds += *spent;
      steps += static_cast<double>(other.steps);
    }
    if (steps > 0) return seconds / steps * static_cast<double>(cell.steps);
  }
  return std::nullopt;
}

}  // namespace dstore::cli
