#include "commit_view.h"
#include "evaluation_view.h"
#include "number_text.h"
#include "output.h"
#include "report/html.h"
#include "report/sections.h"

namespace dstore::cli {
namespace {

constexpr std::size_t kMostRows = 200;

std::string environment_text(const Evaluation& evaluation) {
  std::string out;
  for (const auto& [name, value] : evaluation.environment) out += (out.empty() ? "" : ", ") + name + " " + value;
  return out;
}

void add_row(HtmlTable& table, const CheckedEvaluation& checked) {
  const Evaluation& each = checked.evaluation;
  table.add({{each.commit ? "<code>" + each.commit->short_hex().substr(0, 7) + "</code>" : "computed", "left"},
             {escaped(each.split), "left"},
             {name_html(metrics_text(each)), "left name"},
             {grouped(static_cast<std::uint64_t>(each.n))},
             {name_html(data_text(each)), "left name"},
             {escaped(timestamp(each.time)), "left"},
             {name_html(each.evaluator), "left name"},
             {escaped(verdict_mark(checked.signature).text), "left"},
             {name_html(environment_text(each)), "left name"}});
}

/// Newest first: of later commits, then of one commit.
std::string table_of(const TaskLine& line, const std::string& task) {
  HtmlTable table("list", {{"commit", "left"}, {"split", "left"}, {"metrics", "left"}, {"n"}, {"data", "left"},
                           {"recorded", "left"}, {"by", "left"}, {"signature", "left"}, {"ran on", "left"}});
  std::size_t count = 0;
  for (auto facts = line.commits.rbegin(); facts != line.commits.rend(); ++facts) {
    for (const CheckedEvaluation& each : facts->evaluations) {
      if (++count <= kMostRows) add_row(table, each);
    }
  }
  if (count == 0) return "";
  const std::string rest = count > kMostRows ? "<p class=\"note\">and " + grouped(count - kMostRows) + " more</p>\n" : "";
  return scrolling("Recorded evaluations of " + task, table.html()) + rest;
}

}  // namespace

std::string evaluations_section(const ComparedTasks& compared, const std::vector<TaskLine>& lines) {
  std::string content;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string table = table_of(lines[i], compared.tasks[i].revision);
    if (!table.empty()) content += task_heading(compared, i) + table;
  }
  if (content.empty()) return "";
  return section("Recorded evaluations",
                 "Measured after the commit, by whoever signed. One whose signature is wrong or not trusted stands in no other table and in no chart.", content);
}

}  // namespace dstore::cli
