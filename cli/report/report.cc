#include "report/report.h"

#include "base/atomic_file.h"
#include "commit_view.h"
#include "metric_rows.h"
#include "number_text.h"
#include "output.h"
#include "report/html.h"
#include "report/sections.h"

namespace dstore::cli {
namespace {

std::string names_of(const ComparedTasks& compared, const char* separator) {
  std::string out;
  for (const TaskStats& task : compared.tasks) out += (out.empty() ? "" : separator) + task.revision;
  return out;
}

std::string glance(const ComparedTasks& compared, const std::vector<TaskLine>& lines) {
  std::vector<const CommitFacts*> commits;
  for (const TaskLine& line : lines) commits.push_back(&line.head());
  const std::vector<MetricRow> metrics = metric_rows(commits);
  std::vector<HtmlTable::Cell> headings{{"task", "left"}, {"method", "left"}, {"stored"}, {"full copy"}, {"smaller"}, {"changed"}, {"density"}, {"new"}};
  for (const MetricRow& metric : metrics) headings.push_back({name_html(metric_label(metrics, metric))});
  HtmlTable table("list", headings);
  for (std::size_t i = 0; i < compared.tasks.size(); ++i) {
    const TaskStats& task = compared.tasks[i];
    const PartStats all = whole_task(compared.comparison.tasks[i]);
    const std::string ratio = ratio_text(task.sizes.checkpoint, task.sizes.stored());
    std::vector<HtmlTable::Cell> row{{name_html(task.revision), "name"}, {escaped(method_text(task.commit.commit)), "left"}, {human_size(task.sizes.stored())},
                                     {human_size(task.sizes.checkpoint)}, {ratio.substr(0, ratio.find(' '))}, {grouped(all.difference.changed)},
                                     {escaped(share_text(all.difference.density()))}, {all.new_units > 0 ? grouped(all.new_units) : ""}};
    for (const MetricRow& metric : metrics) {
      const bool best = metric.is_best(i);
      row.push_back({metric.values[i] ? name_html(metric.values[i]->text) + (best ? " (best)" : "") : "", best ? "best" : ""});
    }
    table.add(std::move(row));
  }
  return section("At a glance", "", scrolling("The tasks at a glance", table.html()));
}

}  // namespace

std::string task_heading(const ComparedTasks& compared, std::size_t task) {
  return compared.tasks.size() > 1 ? "<h3>" + name_html(compared.tasks[task].revision) + "</h3>\n" : "";
}

const char* style_on(const ScaleStep* begin, const ScaleStep* end, double value) {
  for (const ScaleStep* step = begin; step + 1 != end; ++step) {
    if (value <= step->upto) return step->style;
  }
  return (end - 1)->style;
}

std::string legend(const ScaleStep* begin, const ScaleStep* end) {
  std::string out = "<ul class=\"legend\">";
  for (const ScaleStep* step = begin; step != end; ++step) out += std::string("<li class=\"") + step->style + "\">" + escaped(step->text) + "</li>";
  return out + "</ul>\n";
}

std::string report_html(const Repository& repository, const ComparedTasks& compared) {
  std::string summary;
  for (std::size_t i = 0; i < compared.tasks.size(); ++i) {
    const TaskStats& task = compared.tasks[i];
    if (i > 0) summary += ", ";
    summary += name_html(task.revision);
    summary += task.is_computed() ? " is computed" : " is commit <code>" + task.commit.id.short_hex() + "</code> (" + timestamp(task.commit.commit.time) + ")";
  }
  const std::string names = names_of(compared, ", ");
  const std::vector<TaskLine> lines = task_lines(repository, compared);
  const std::string sections = glance(compared, lines) + density_section(compared) + together_section(compared) + size_section(compared) +
                               history_section(compared, lines) + evaluations_section(compared, lines) + distance_section(compared) + table_section(compared);
  return fill_template(kPageTemplate, {{"title", escaped("Task differences: " + names)},
                                       {"heading", "Task differences: " + name_html(names)},
                                       {"summary", summary + "."},
                                       {"style", std::string(kPageStyle)},
                                       {"footer", "Made by dstore stats. Counts are exact; weights are counted once, tensors that a task adds are told apart."},
                                       {"sections", sections}});
}

void write_report(const Repository& repository, const ComparedTasks& compared, const std::string& path) {
  const std::string page = report_html(repository, compared);
  write_file_atomically(posix_filesystem(), path, as_bytes(page));
}

}  // namespace dstore::cli
