#include "study/cell_output.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/decimal.h"
#include "commit_view.h"
#include "number_text.h"
#include "output.h"
#include "study/estimate.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

constexpr const char* kStates[] = {"waiting", "to do", "done", "failed"};

const char* state_name(const Cell& cell) { return kStates[static_cast<int>(cell.state)]; }

bool is_left(const Cell& cell) { return cell.state == Cell::State::waiting || cell.state == Cell::State::todo; }

std::optional<double> seconds_left(const Cells& cells, const std::vector<const Cell*>& chosen) {
  double sum = 0;
  for (const Cell* cell : chosen) {
    if (!is_left(*cell)) continue;
    const auto seconds = estimated_seconds(cells, *cell);
    if (!seconds) return std::nullopt;
    sum += *seconds;
  }
  return sum;
}

template <class Value>
ordered_json or_null(const std::optional<Value>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json or_null(const std::string& text) { return text.empty() ? ordered_json() : ordered_json(text); }

ordered_json cell_json(const Cell& cell) {
  return {{"name", cell.name},           {"branch", cell.branch},
          {"state", state_name(cell)},   {"task", cell.task->name},
          {"method", cell.method->name}, {"seed", cell.seed},
          {"steps", cell.steps},         {"density", or_null(cell.density)},
          {"lr", or_null(cell.rate)},    {"dev", or_null(cell.metric("dev"))},
          {"test", or_null(cell.metric("test"))}, {"train", or_null(cell.metric("train"))},
          {"seconds", or_null(seconds_of(cell))}, {"commit", cell.commit.is_none() ? ordered_json() : ordered_json(cell.commit.hex())},
          {"error", or_null(cell.content.fact(kErrorFact))}};
}

std::string left_text(const Cells& cells, const std::vector<const Cell*>& chosen) {
  const std::size_t left = count_left(chosen);
  const auto failed = std::count_if(chosen.begin(), chosen.end(), [](const Cell* cell) { return cell->state == Cell::State::failed; });
  std::string text = std::to_string(chosen.size()) + (chosen.size() == 1 ? " cell, " : " cells, ") + std::to_string(left) + " left";
  if (failed > 0) text += ", " + std::to_string(failed) + " failed";
  const auto seconds = seconds_left(cells, chosen);
  if (left > 0 && seconds) text += ": about " + std::to_string(std::lround(*seconds / 60)) + " minutes";
  if (left > 0 && !seconds) text += "; how long they take is known once one is done";
  return text;
}

}  // namespace

std::vector<const Cell*> chosen_cells(const Cells& cells, const std::string& only) {
  std::vector<const Cell*> out;
  for (const Cell& cell : cells.all()) {
    if (only.empty() || matches(only, cell.name)) out.push_back(&cell);
  }
  if (only.empty()) return out;
  const std::vector<const Cell*> named = out;
  for (const Cell* cell : named) {
    for (const Cell* candidate : cells.candidates_of(*cell)) {
      if (std::find(out.begin(), out.end(), candidate) == out.end()) out.push_back(candidate);
    }
  }
  std::sort(out.begin(), out.end());  // they stand in one vector: the order in which they run
  return out;
}

std::size_t count_left(const std::vector<const Cell*>& cells) {
  return static_cast<std::size_t>(std::count_if(cells.begin(), cells.end(), [](const Cell* cell) { return is_left(*cell); }));
}

std::string share_of_texts(const std::optional<double>& share) {
  return share ? shortest_decimal(std::round(*share * 1e4) / 1e4) : "";
}

void print_cells(const Session& session, const Study& study, const Cells& cells, const std::vector<const Cell*>& chosen) {
  if (session.json) {
    ordered_json out{{"study", study.name}, {"cells", ordered_json::array()}, {"left", count_left(chosen)}, {"seconds_left", or_null(seconds_left(cells, chosen))}};
    for (const Cell* cell : chosen) out["cells"].push_back(cell_json(*cell));
    print_pretty(out);
    return;
  }
  Table table({"cell", "state", ">lr", ">dev", ">test", ">minutes"});
  for (const Cell* cell : chosen) {
    const auto seconds = is_left(*cell) ? estimated_seconds(cells, *cell) : seconds_of(*cell);
    std::string minutes = seconds ? number_text(*seconds / 60, 2) : "";
    if (seconds && is_left(*cell)) minutes.insert(0, "~");
    table.add({cell->name, state_name(*cell), cell->rate ? shortest_decimal(*cell->rate) : "", share_of_texts(cell->metric("dev")),
               share_of_texts(cell->metric("test")), minutes});
  }
  std::string text = table.text();
  if (!text.empty()) text.pop_back();
  session.say(text);
  for (const Cell* cell : chosen) {
    if (const std::string error = cell->content.fact(kErrorFact); !error.empty()) session.say(cell->name + " failed: " + printable(error));
  }
  session.say(left_text(cells, chosen));
}

}  // namespace dstore::cli
