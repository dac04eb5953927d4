#include <algorithm>
#include <cmath>
#include <map>

#include "number_text.h"
#include "output.h"
#include "report/chart.h"
#include "report/html.h"
#include "study/report.h"

namespace dstore::cli {
namespace {

constexpr std::size_t kStyles = 4;

double percent_of(double share) { return 100 * share; }

std::string bytes_text(double bytes) { return human_size(static_cast<std::uint64_t>(std::llround(bytes))); }
std::string density_text_of(double percent) { return number_text(percent, 3) + " %"; }
std::string steps_text(double steps) { return std::to_string(std::llround(steps)); }

ChartPoint point_of(double x, const MeanStd& score, const std::string& name) {
  const double mean = percent_of(score.mean), std = percent_of(score.std);
  return {x, mean, mean - std, mean + std, name + ": " + mean_text(score) + " %"};
}

std::string bytes_of(const RunGroup& group, double& bytes) {
  const auto mean = group.mean([](const RunResult& run) { return std::optional(static_cast<double>(run.bytes())); });
  bytes = mean->mean;
  return bytes_text(bytes);
}

std::string figure(const std::string& caption, const std::string& content) {
  return content.empty() ? "" : "<figure>\n<figcaption>" + caption + "</figcaption>\n" + content + "</figure>\n";
}

std::string size_chart(const Results& results, const StudyTask& task, const std::string& id) {
  Chart chart{.id = id, .title = "Accuracy on " + task.name + " against stored bytes", .x_title = "bytes stored for the task (logarithmic)", .log_x = true, .x_text = bytes_text};
  for (const RunGroup& group : results.groups) {
    const auto score = group.mean(test_score);
    if (group.task != &task || group.sweep || !score) continue;
    double bytes = 0;
    const std::string size = bytes_of(group, bytes);
    const bool masked = group.density.has_value();
    chart.series.push_back({group.label(), masked ? "1" : "2", false, true, {point_of(bytes, *score, group.label() + ", " + size)}});
  }
  return figure("Test accuracy in per cent, task " + name_html(task.name) + ". Blue: a share of the weights; orange: whole tensors.", chart.svg());
}

std::string sweep_chart(const Results& results, const StudyTask& task, const std::string& id) {
  Chart chart{.id = id, .title = "Accuracy on " + task.name + " over the density", .x_title = "density, per cent of the weights (logarithmic)", .log_x = true, .x_text = density_text_of};
  for (const StudyMethod& method : results.study.methods) {
    if (method.sweep.empty()) continue;
    ChartSeries series{.name = method.name, .style = std::to_string(chart.series.size() % kStyles + 1)};
    for (const RunGroup& group : results.groups) {
      const auto score = group.mean(test_score);
      if (group.task == &task && group.method == &method && score) series.points.push_back(point_of(percent_of(*group.density), *score, density_text_of(percent_of(*group.density))));
    }
    if (series.points.size() < 2) continue;
    std::sort(series.points.begin(), series.points.end(), [](const ChartPoint& a, const ChartPoint& b) { return a.x < b.x; });
    chart.series.push_back(std::move(series));
  }
  if (chart.series.empty()) return "";
  const std::vector<ChartSeries> named = chart.series;
  const RunGroup* against = results.group(task.name, results.study.against);
  if (against != nullptr && against->mean(test_score)) {
    double low = INFINITY, high = 0;
    for (const ChartSeries& series : named) {
      low = std::min(low, series.points.front().x);
      high = std::max(high, series.points.back().x);
    }
    const double y = percent_of(against->mean(test_score)->mean);
    chart.series.push_back({results.study.against, "base", true, false, {{low, y, 0, 0, results.study.against}, {high, y, 0, 0, results.study.against}}});
  }
  return figure("Test accuracy in per cent, task " + name_html(task.name), chart.svg() + line_legend(chart.series));
}

/// Score on dev over the steps: mean over the seeds that were measured there.
ChartSeries curve_of(const RunGroup& group, const char* style) {
  std::map<std::uint64_t, std::vector<double>> values;
  for (const RunResult* run : group.runs) {
    for (const auto& [step, value] : run->details.curve) values[step].push_back(value);
  }
  ChartSeries series{.name = group.label(), .style = style};
  for (const auto& [step, scores] : values) series.points.push_back(point_of(static_cast<double>(step), *mean_std(scores), "step " + std::to_string(step)));
  return series;
}

std::string curve_charts(const Results& results, const StudyTask& task, const std::string& id) {
  std::string out;
  const RunGroup* against = results.group(task.name, results.study.against);
  double low = INFINITY, high = -INFINITY;
  std::vector<Chart> charts;
  for (const RunGroup& group : results.groups) {
    if (group.task != &task || group.sweep) continue;
    Chart chart{.id = id + "-" + std::to_string(charts.size()), .title = "Accuracy on dev of " + group.label() + " over the steps", .x_title = "step", .x_text = steps_text,
                .width = 300, .height = 190};
    if (against != nullptr && against != &group) chart.series.push_back(curve_of(*against, "base"));
    chart.series.push_back(curve_of(group, "1"));
    for (const ChartSeries& series : chart.series) {
      for (const ChartPoint& point : series.points) {
        low = std::min(low, point.low);
        high = std::max(high, point.high);
      }
    }
    charts.push_back(std::move(chart));
  }
  for (Chart& chart : charts) {
    chart.y_low = low;
    chart.y_high = high;
    out += figure("<b>" + name_html(chart.series.back().name) + "</b>", chart.svg());
  }
  return out.empty() ? "" : "<h3>" + name_html(task.name) + "</h3>\n<div class=\"multiples\">\n" + out + "</div>\n";
}

std::string for_tasks(const Results& results, const char* id, std::string (*draw)(const Results&, const StudyTask&, const std::string&)) {
  std::string out;
  for (const StudyTask& task : results.study.tasks) out += draw(results, task, id + std::to_string(&task - results.study.tasks.data()));
  return out;
}

std::string section_of(const char* title, const std::string& note, const std::string& content) { return content.empty() ? "" : section(title, note, content); }

}  // namespace

std::string size_chart_section(const Results& results) {
  return section_of("Accuracy against stored bytes",
                    "Bytes of the changed weights and the new head, as stored. Bars: one standard deviation over the seeds.",
                    for_tasks(results, "s", size_chart));
}

std::string sweep_section(const Results& results) {
  return section_of("How much density is needed", "With the learning rate chosen at the method's own density.", for_tasks(results, "d", sweep_chart));
}

std::string curves_section(const Results& results) {
  return section_of("How fast they learn", "Accuracy on dev, in per cent, mean and standard deviation over the seeds; grey: " + name_html(results.study.against) +
                    ". Of methods that look for a mask first, nothing is measured before it is found.",
                    for_tasks(results, "c", curve_charts));
}

}  // namespace dstore::cli
