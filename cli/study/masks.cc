#include <algorithm>
#include <iterator>
#include <map>

#include "number_text.h"
#include "report/html.h"
#include "report/sections.h"
#include "study/report.h"

namespace dstore::cli {
namespace {

constexpr ScaleStep kScale[] = {{0.005, "k0", "to 0.5 %"}, {0.02, "k1", "to 2 %"}, {0.05, "k2", "to 5 %"},  {0.1, "k3", "to 10 %"},
                                {0.2, "k4", "to 20 %"},    {0.35, "k5", "to 35 %"}, {0.6, "k6", "to 60 %"}, {1, "k7", "more"}};

HtmlTable::Cell share_cell(const std::optional<double>& share) {
  if (!share) return {"&#183;", "none"};
  const double percent = *share * 100;
  return {percent > 0 && percent < 0.1 ? "&lt;0.1" : escaped(number_text(percent, percent < 10 ? 2 : 3)), style_on(std::begin(kScale), std::end(kScale), *share)};
}

/// Names of the methods whose masks are known, in the order of the study.
std::vector<std::string> methods_of(const TaskMasks& masks) {
  std::vector<std::string> out;
  for (const RunResult* run : masks.runs) {
    if (std::find(out.begin(), out.end(), run->cell->method->name) == out.end()) out.push_back(run->cell->method->name);
  }
  return out;
}

/// Means over pairs of runs, by the methods' names: of one method those of different seeds, of two those of the same seed.
std::map<std::pair<std::string, std::string>, std::vector<double>> overlaps(const TaskMasks& masks) {
  std::map<std::pair<std::string, std::string>, std::vector<double>> out;
  for (const TaskPair& pair : masks.compared.comparison.pairs) {
    const Cell &a = *masks.runs[pair.a]->cell, &b = *masks.runs[pair.b]->cell;
    if (a.method != b.method && a.seed != b.seed) continue;
    out[{a.method->name, b.method->name}].push_back(pair.jaccard());
    if (a.method != b.method) out[{b.method->name, a.method->name}].push_back(pair.jaccard());
  }
  return out;
}

std::string overlap_map(const TaskMasks& masks) {
  const std::vector<std::string> names = methods_of(masks);
  const auto values = overlaps(masks);
  std::vector<HtmlTable::Cell> headings{{""}};
  for (const std::string& name : names) headings.push_back({name_html(name)});
  HtmlTable table("map", headings);
  for (const std::string& row : names) {
    std::vector<HtmlTable::Cell> cells{{name_html(row)}};
    for (const std::string& column : names) {
      const auto at = values.find({row, column});
      cells.push_back(share_cell(at == values.end() ? std::nullopt : std::optional(mean_std(at->second)->mean)));
    }
    table.add(std::move(cells));
  }
  return "<h3>" + name_html(masks.task->name) + "</h3>\n" + scrolling("Overlap of masks, task " + masks.task->name, table.html());
}

/// The share of each part, mean over the seeds: a row for each method.
std::string share_map(const TaskMasks& masks, const std::string& by) {
  std::vector<std::string> parts;
  std::map<std::pair<std::string, std::string>, std::vector<double>> values;  ///< by method and part
  std::map<std::string, double> of_all;
  for (std::size_t i = 0; i < masks.runs.size(); ++i) {
    const TaskChanges& changes = masks.compared.comparison.tasks[i];
    for (const MaskShare& share : mask_shares(changes)) {
      if (share.by != by) continue;
      if (std::find(parts.begin(), parts.end(), share.part) == parts.end()) parts.push_back(share.part);
      values[{masks.runs[i]->cell->method->name, share.part}].push_back(share.share);
      of_all[share.part] = static_cast<double>(share.weights) / static_cast<double>(changes.total.units);
    }
  }
  std::vector<HtmlTable::Cell> headings{{""}};
  for (const std::string& part : parts) headings.push_back({name_html(part)});
  HtmlTable table("map", headings);
  std::vector<HtmlTable::Cell> all{{"all weights"}};
  for (const std::string& part : parts) all.push_back(share_cell(of_all[part]));
  table.add(std::move(all));
  for (const std::string& method : methods_of(masks)) {
    std::vector<HtmlTable::Cell> cells{{name_html(method)}};
    for (const std::string& part : parts) {
      const auto mean = mean_std(values[{method, part}]);
      cells.push_back(share_cell(mean ? std::optional(mean->mean) : std::nullopt));
    }
    table.add(std::move(cells));
  }
  return scrolling("Shares by " + by + ", task " + masks.task->name, table.html());
}

}  // namespace

std::string overlap_section(const Results& results) {
  std::string content;
  for (const TaskMasks& masks : results.masks) {
    if (masks.runs.size() > 1) content += overlap_map(masks);
  }
  if (content.empty()) return "";
  return section("Overlap of the masks",
                 "Of the weights that one of two runs changes, the per cent that both change (Jaccard). Within a method: runs of different seeds; "
                 "between methods: runs of one seed; means over the pairs.",
                 legend(std::begin(kScale), std::end(kScale)) + content);
}

std::string shares_section(const Results& results) {
  std::string content;
  for (const TaskMasks& masks : results.masks) {
    content += "<h3>" + name_html(masks.task->name) + "</h3>\n" + share_map(masks, "layer") + "<p></p>\n" + share_map(masks, "role");
  }
  if (content.empty()) return "";
  return section("Where the masks lie", "Per cent of the changed weights in each layer and role, mean over the seeds; first row: of all weights of the base.",
                 legend(std::begin(kScale), std::end(kScale)) + content);
}

}  // namespace dstore::cli
