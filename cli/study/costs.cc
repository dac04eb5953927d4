#include <algorithm>
#include <cmath>

#include "number_text.h"
#include "output.h"
#include "report/html.h"
#include "study/report.h"

namespace dstore::cli {
namespace {

struct Measure {
  const char* caption;
  std::optional<double> (*value)(const RunResult&);
  std::string (*text)(double);
};

std::string seconds_text(double seconds) { return number_text(seconds, 2) + " s"; }
std::string memory_text(double bytes) { return human_size(static_cast<std::uint64_t>(bytes)); }
std::string gap_text(double share) { return points_text(share); }

constexpr Measure kMeasures[] = {{"Seconds for a step", [](const RunResult& run) { return run.number("seconds_per_step"); }, seconds_text},
                                 {"Peak memory of the process", [](const RunResult& run) { return run.number("peak_rss_bytes"); }, memory_text},
                                 {"Generalisation gap: accuracy on training texts &#8722; on dev, points (orange: below 0)",
                                  [](const RunResult& run) { return run.gap(); }, gap_text}};

std::string bars(const Results& results, const StudyTask& task, const Measure& measure) {
  std::vector<std::pair<std::string, double>> values;
  double most = 0;
  for (const RunGroup& group : results.groups) {
    const auto mean = group.mean(measure.value);
    if (group.task != &task || group.sweep || !mean) continue;
    values.emplace_back(group.label(), mean->mean);
    most = std::max(most, std::fabs(mean->mean));
  }
  if (values.empty()) return "";
  HtmlTable table("bars", {{""}, {""}, {""}});
  table.caption(measure.caption);
  for (const auto& [name, value] : values) {
    const std::string width = number_text(most > 0 ? 100 * std::fabs(value) / most : 0, 4);
    const std::string bar = std::string("<span class=\"") + (value < 0 ? "s2" : "s1") + "\" style=\"width:" + width + "%\"></span>";
    table.add({{name_html(name)}, {"<div class=\"track\" aria-hidden=\"true\">" + bar + "</div>", "bar"}, {escaped(measure.text(value))}});
  }
  return "<div>" + table.html() + "</div>\n";
}

}  // namespace

std::string costs_section(const Results& results) {
  std::string content;
  for (const StudyTask& task : results.study.tasks) {
    std::string tables;
    for (const Measure& measure : kMeasures) tables += bars(results, task, measure);
    if (!tables.empty()) content += "<h3>" + name_html(task.name) + "</h3>\n<div class=\"columns\">\n" + tables + "</div>\n";
  }
  if (content.empty()) return "";
  return section("What training takes, and how far it overfits", "Means over the seeds that are done. A step: the time of training, the search for a mask included, evaluations not, over the steps.", content);
}

}  // namespace dstore::cli
