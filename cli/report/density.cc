#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include "number_text.h"
#include "output.h"
#include "report/html.h"
#include "report/sections.h"

namespace dstore::cli {
namespace {

using Part = TensorPlace::Part;
using Role = TensorPlace::Role;

constexpr ScaleStep kScale[] = {{0, "k0", "none"},      {1e-4, "k1", "to 0.01 %"}, {1e-3, "k2", "to 0.1 %"},
                                {5e-3, "k3", "to 0.5 %"}, {1e-2, "k4", "to 1 %"},    {5e-2, "k5", "to 5 %"},
                                {0.2, "k6", "to 20 %"},  {0.5, "k7", "to 50 %"},    {1, "k8", "more"}};

struct Cell {
  DifferenceStats difference;
  std::uint64_t new_units = 0;
};
using Row = std::tuple<Part, std::string, unsigned>;

/// "0.5", "12", "<0.01": per cent, short enough for a cell.
std::string cell_text(double density) {
  if (density == 0) return "0";
  if (density < 1e-4) return "&lt;0.01";
  if (density == 1) return "100";
  const double value = std::min(density * 100, 99.9);
  return number_text(value, value < 1 ? 1 + (value >= 0.1) : value >= 99.5 ? 3 : 2);
}

HtmlTable::Cell density_cell(const Cell& cell) {
  if (cell.difference.units == 0) return {cell.new_units > 0 ? "new" : "&#183;", "none"};
  const double density = cell.difference.density();
  return {cell_text(density), style_on(std::begin(kScale), std::end(kScale), density)};
}

std::string maps_of(const TaskChanges& changes, const std::string& name) {
  const bool stacks = has_stacks(changes);
  std::map<Row, std::map<Role, Cell>> layers;
  std::map<std::pair<Part, Role>, Cell> outside;
  std::map<Row, std::string> names;
  std::set<Role> roles;
  for (const TensorChange& tensor : changes.tensors) {
    const TensorPlace place = tensor_place(tensor.info.name);
    const bool inside = place.part == Part::layer;
    const Row row{place.part, place.stack, place.layer};
    Cell& cell = inside ? layers[row][place.role] : outside[{place.part, place.role}];
    cell.difference += tensor.difference;
    cell.new_units += tensor.new_units;
    if (!inside) continue;
    roles.insert(place.role);
    names[row] = part_name(place, stacks);
  }
  std::string out;
  if (!layers.empty()) {
    std::vector<HtmlTable::Cell> headings{{""}};
    for (const Role role : roles) headings.push_back({role_name(role)});
    HtmlTable table("map", headings);
    for (const auto& [row, cells] : layers) {
      std::vector<HtmlTable::Cell> line{{name_html(names[row])}};
      for (const Role role : roles) {
        const auto cell = cells.find(role);
        line.push_back(density_cell(cell == cells.end() ? Cell{} : cell->second));
      }
      table.add(std::move(line));
    }
    out += scrolling("Layers and roles of " + name + ", per cent of the weights changed", table.html());
  }
  if (!outside.empty()) {
    HtmlTable table("map", {{layers.empty() ? "" : "outside the layers"}, {"changed"}});
    for (const auto& [key, cell] : outside) {
      const TensorPlace place{key.first, "", 0, key.second};
      const std::string part = part_name(place, false), role = role_name(key.second);
      table.add({{part == role || part != "other" ? part : role}, density_cell(cell)});
    }
    out += scrolling("Tensors outside the layers of " + name, table.html());
  }
  return out;
}

}  // namespace

std::string density_section(const ComparedTasks& compared) {
  std::string maps;
  for (std::size_t i = 0; i < compared.tasks.size(); ++i) {
    maps += "<div>" + task_heading(compared, i) + maps_of(compared.comparison.tasks[i], compared.tasks[i].revision) + "</div>\n";
  }
  return section("Where the weights changed",
                 "Per cent of the weights that differ from the base, layer by role. Biases that are not of a norm are a column of their own; "
                 "&#8220;new&#8221; is what the base does not have.",
                 legend(std::begin(kScale), std::end(kScale)) + "<div class=\"maps\">\n" + maps + "</div>\n");
}

}  // namespace dstore::cli
