#include <algorithm>

#include "number_text.h"
#include "output.h"
#include "report/html.h"
#include "report/sections.h"
#include "stats_text.h"

namespace dstore::cli {
namespace {

std::string histogram(const TaskStats& task, const DifferenceStats& stats) {
  const std::vector<UlpRow> rows = ulp_rows(stats);
  std::string notes = ulp_notes(stats);
  if (rows.empty()) return "<p>No weight of the base changed" + std::string(notes.empty() ? "" : " to a number: " + notes) + ".</p>\n";
  std::uint64_t most = 0, all = 0;
  for (const UlpRow& row : rows) most = std::max(most, row.count), all += row.count;
  HtmlTable table("bars", {{"ulps"}, {"weights"}, {"share"}, {""}});
  for (const UlpRow& row : rows) {
    const std::string width = number_text(100 * static_cast<double>(row.count) / static_cast<double>(most), 4);
    table.add({{escaped(row.label)}, {grouped(row.count)}, {escaped(share_text(static_cast<double>(row.count) / static_cast<double>(all)))},
               {row.count == 0 ? "" : "<div class=\"track\" aria-hidden=\"true\"><span class=\"fill\" style=\"width:" + width + "%\"></span></div>", "bar"}});
  }
  return scrolling("Distances of " + task.revision, table.html()) + (notes.empty() ? "" : "<p class=\"note\">" + notes + "</p>\n");
}

}  // namespace

std::string distance_section(const ComparedTasks& compared) {
  std::string content;
  for (std::size_t i = 0; i < compared.tasks.size(); ++i) {
    content += "<div>" + task_heading(compared, i) + histogram(compared.tasks[i], compared.comparison.tasks[i].total) + "</div>\n";
  }
  return section("How far the weights moved",
                 "In units of last place: the steps from the old value to the new one through all values of the dtype. "
                 "A change of sign counts the steps through zero.",
                 "<div class=\"columns\">\n" + content + "</div>\n");
}

}  // namespace dstore::cli
