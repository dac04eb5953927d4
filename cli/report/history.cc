#include <algorithm>
#include <cmath>

#include "metric_rows.h"
#include "number_text.h"
#include "output.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/sections.h"

namespace dstore::cli {
namespace {

constexpr std::size_t kStyles = 4;
constexpr double kWidth = 360, kHeight = 190, kLeft = 48, kRight = 12, kTop = 12, kBottom = 26;

std::string id_text(const CommitFacts& commit) { return commit.id.is_none() ? "computed" : commit.id.short_hex().substr(0, 7); }

/// The rows of one metric on several splits, as lines over two or more commits.
class HistoryChart {
 public:
  HistoryChart(const TaskLine& line, std::vector<const MetricRow*> rows) : line_(line), rows_(std::move(rows)) {
    double low = INFINITY, high = -INFINITY;
    for (const MetricRow* row : rows_) {
      for (const auto& value : row->values) {
        if (!value || !value->number) continue;
        low = std::min(low, *value->number);
        high = std::max(high, *value->number);
      }
    }
    is_empty_ = !(low <= high) || !std::isfinite(high - low);
    if (!is_empty_) axis_ = axis_of(low, high);
  }
  bool is_empty() const { return is_empty_; }

  std::string svg(const std::string& title, const std::string& id) const {
    std::string out = "<svg class=\"chart\" viewBox=\"0 0 360 190\" role=\"img\" aria-labelledby=\"" + id + "-t " + id + "-d\">\n" +
                      "<title id=\"" + id + "-t\">" + title + "</title>\n<desc id=\"" + id + "-d\">" + description() + "</desc>\n" + grid();
    for (std::size_t i = 0; i < rows_.size(); ++i) out += series(*rows_[i], std::to_string(i % kStyles + 1));
    return out + "</svg>\n";
  }

 private:
  double x(std::size_t commit) const {
    const double room = kWidth - kLeft - kRight;
    return kLeft + 6 + (room - 12) * static_cast<double>(commit) / static_cast<double>(line_.commits.size() - 1);
  }
  double y(double value) const { return kHeight - kBottom - (kHeight - kTop - kBottom) * (value - axis_.low) / (axis_.high - axis_.low); }

  std::string description() const {
    std::string out;
    for (const MetricRow* row : rows_) {
      std::string first, last;
      for (const auto& value : row->values) {
        if (!value) continue;
        if (first.empty()) first = value->text;
        last = value->text;
      }
      out += (out.empty() ? "" : "; ") + escaped(row->split) + " from " + escaped(first) + " to " + escaped(last);
    }
    return out + ", over " + std::to_string(line_.commits.size()) + " commits";
  }
  std::string grid() const {
    std::string out;
    const auto steps = static_cast<int>(std::lround((axis_.high - axis_.low) / axis_.step));
    for (int i = 0; i <= steps; ++i) {
      const double value = axis_.low + i * axis_.step;
      const std::string at = place(y(value));
      out += "<line class=\"grid\" x1=\"" + place(kLeft) + "\" x2=\"" + place(kWidth - kRight) + "\" y1=\"" + at + "\" y2=\"" + at + "\"/>" +
             "<text x=\"" + place(kLeft - 6) + "\" y=\"" + place(y(value) + 4) + "\" text-anchor=\"end\">" + axis_text(value, axis_.step) + "</text>\n";
    }
    const auto label = [&](std::size_t commit, const char* anchor) {
      return "<text x=\"" + place(x(commit)) + "\" y=\"" + place(kHeight - 8) + "\" text-anchor=\"" + anchor + "\">" + id_text(line_.commits[commit]) + "</text>\n";
    };
    return out + label(0, "start") + label(line_.commits.size() - 1, "end");
  }
  std::string series(const MetricRow& row, const std::string& style) const {
    std::string points, dots;
    for (std::size_t i = 0; i < row.values.size(); ++i) {
      if (!row.values[i] || !row.values[i]->number) continue;
      const std::string at_x = place(x(i)), at_y = place(y(*row.values[i]->number));
      points += (points.empty() ? "" : " ") + at_x + "," + at_y;
      dots += "<circle class=\"p" + style + "\" cx=\"" + at_x + "\" cy=\"" + at_y + "\" r=\"3\"><title>" + id_text(line_.commits[i]) + " " +
              escaped(row.split) + ": " + escaped(row.values[i]->text) + "</title></circle>\n";
    }
    return "<polyline class=\"line l" + style + "\" points=\"" + points + "\"/>\n" + dots;
  }

  const TaskLine& line_;
  std::vector<const MetricRow*> rows_;
  bool is_empty_ = true;
  Axis axis_;
};

std::string split_key(const std::vector<MetricRow>& all, const std::vector<const MetricRow*>& rows) {
  std::vector<ChartSeries> series;
  for (std::size_t i = 0; i < rows.size(); ++i) series.push_back({.name = metric_label(all, *rows[i]), .style = std::to_string(i % kStyles + 1)});
  return line_legend(series);
}

std::string values_table(const TaskLine& line, const std::vector<MetricRow>& rows) {
  std::vector<HtmlTable::Cell> headings{{"commit", "left"}, {"message", "left"}};
  for (const MetricRow& row : rows) headings.push_back({name_html(metric_label(rows, row))});
  HtmlTable table("list", headings);
  for (std::size_t i = 0; i < line.commits.size(); ++i) {
    std::vector<HtmlTable::Cell> cells{{"<code>" + id_text(line.commits[i]) + "</code>"}, {name_html(line.commits[i].commit.subject()), "left name"}};
    for (const MetricRow& row : rows) cells.push_back({row.values[i] ? name_html(row.values[i]->text) : ""});
    table.add(std::move(cells));
  }
  const std::string all = scrolling("Metrics by commit", table.html());
  return line.commits.size() > 1 ? folded("Every value", all) : all;
}

std::string charts_of(const TaskLine& line, const std::string& revision, const std::string& id) {
  std::vector<const CommitFacts*> commits;
  for (const CommitFacts& commit : line.commits) commits.push_back(&commit);
  const std::vector<MetricRow> rows = metric_rows(commits);
  if (rows.empty()) return "<p>No metric was recorded.</p>\n";
  if (line.commits.size() == 1) return values_table(line, rows);
  std::vector<std::pair<std::string, std::vector<const MetricRow*>>> metrics;
  for (const MetricRow& row : rows) {
    auto known = std::find_if(metrics.begin(), metrics.end(), [&](const auto& metric) { return metric.first == row.name; });
    if (known == metrics.end()) known = metrics.insert(metrics.end(), {row.name, {}});
    known->second.push_back(&row);
  }
  std::string out = "<div class=\"columns\">\n";
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const HistoryChart chart(line, metrics[i].second);
    if (chart.is_empty()) continue;
    const std::string title = escaped(metrics[i].first) + " of " + escaped(revision) + " by commit";
    out += "<figure>\n<figcaption>" + name_html(metrics[i].first) + "</figcaption>\n" + chart.svg(title, id + "-" + std::to_string(i)) +
           split_key(rows, metrics[i].second) + "</figure>\n";
  }
  return out + "</div>\n" + values_table(line, rows);
}

}  // namespace

std::string history_section(const ComparedTasks& compared, const std::vector<TaskLine>& lines) {
  std::string content;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    content += task_heading(compared, i) + charts_of(lines[i], compared.tasks[i].revision, "h" + std::to_string(i));
  }
  return section("Metrics over the commits",
                 "From the first commit of the task to the one shown here, first parents only: as training measured, "
                 "or the newest evaluation on the same data since.", content);
}

}  // namespace dstore::cli
