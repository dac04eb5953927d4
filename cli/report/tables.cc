#include <algorithm>

#include "number_text.h"
#include "output.h"
#include "report/html.h"
#include "report/sections.h"

namespace dstore::cli {
namespace {

std::string parts_html(std::vector<PartStats> parts, const char* what, const PartStats& all) {
  HtmlTable table("list", {{what, "left"}, {"tensors"}, {"weights"}, {"changed"}, {"density"}, {"L1"}, {"L2"}, {"max |d|"}, {"stored"}});
  parts.push_back(all);
  for (const PartStats& part : parts) {
    const DifferenceStats& d = part.difference;
    const bool known = d.units > 0 || part.new_units == 0;
    const auto number = [&](double value) { return d.numeric && d.changed > 0 ? escaped(number_text(value)) : std::string(); };
    table.add({{name_html(part.name), "name"}, {grouped(part.modified) + "/" + grouped(part.tensors)}, {grouped(d.units + part.new_units)},
               {known ? grouped(d.changed) : "new"}, {known ? escaped(share_text(d.density())) : ""}, {number(d.l1)}, {number(d.l2())}, {number(d.max_abs)},
               {part.bytes > 0 ? human_size(part.bytes) : ""}});
  }
  return scrolling(std::string("By ") + what, table.html());
}

}  // namespace

std::string table_section(const ComparedTasks& compared) {
  std::string content;
  for (std::size_t i = 0; i < compared.tasks.size(); ++i) {
    const TaskChanges& changes = compared.comparison.tasks[i];
    const PartStats all = whole_task(changes);
    std::vector<PartStats> tensors = find_grouping("tensor").parts(changes);
    const std::size_t count = tensors.size();
    std::erase_if(tensors, [](const PartStats& part) { return part.modified == 0 && part.new_units == 0; });
    const std::string rest = count > tensors.size() ? "<p class=\"note\">" + grouped(count - tensors.size()) + " tensors are as in the base.</p>\n" : "";
    content += task_heading(compared, i) + folded("By layer", parts_html(parts_by_layer(changes), "layer", all)) +
               folded("By role", parts_html(parts_by_role(changes), "role", all)) +
               folded("By tensor", parts_html(std::move(tensors), "tensor", all) + rest);
  }
  return section("Every number", "d is the new value minus the old one.", content);
}

}  // namespace dstore::cli
