#include <cmath>
#include <cstdio>
#include <iterator>

#include "report/html.h"
#include "report/sections.h"

namespace dstore::cli {
namespace {

constexpr ScaleStep kShares[] = {{0.005, "k0", "to 0.005"}, {0.02, "k1", "to 0.02"}, {0.1, "k3", "to 0.1"},
                                 {0.3, "k5", "to 0.3"},     {0.6, "k6", "to 0.6"},   {1, "k8", "to 1"}};
constexpr ScaleStep kCosines[] = {{-0.5, "m4", "-1 to -0.5"}, {-0.1, "m2", "to -0.1"},  {-0.01, "m1", "to -0.01"}, {0.01, "k0", "about 0"},
                                  {0.1, "k1", "to 0.1"},      {0.5, "k4", "to 0.5"}, {1, "k7", "to 1"}};
constexpr ScaleStep kConflicts[] = {{0.02, "k0", "to 0.02"}, {0.1, "m1", "to 0.1"}, {0.3, "m2", "to 0.3"}, {0.5, "m3", "to 0.5"}, {1, "m4", "to 1"}};

struct Matrix {
  const char* title;
  const char* note;
  const ScaleStep* begin;
  const ScaleStep* end;
  double (*value)(const TaskPair&);
  const char* diagonal;
};
const Matrix kMatrices[] = {
    {"Overlap", "Of the weights that one of the two changes, the share that both change (Jaccard).", std::begin(kShares), std::end(kShares),
     [](const TaskPair& p) { return p.jaccard(); }, "1"},
    {"Cosine", "Of the two differences as vectors: 1 the same direction, 0 none in common, -1 opposite.", std::begin(kCosines), std::end(kCosines),
     [](const TaskPair& p) { return p.cosine(); }, "1"},
    {"Opposite signs", "Of the weights that both change, the share that one raises and the other lowers.", std::begin(kConflicts), std::end(kConflicts),
     [](const TaskPair& p) { return p.comparable > 0 ? p.conflict_rate() : NAN; }, "0"},
    {"Energy in conflict", "Share of the summed squares of both differences that lies in those weights.", std::begin(kConflicts), std::end(kConflicts),
     [](const TaskPair& p) { return p.conflict_energy(); }, "0"},
};

/// Two decimals: as wide as every other cell.
std::string value_text(double value) {
  if (value == 0) return "0";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f", value);
  return buffer;
}

std::string matrix_html(const ComparedTasks& compared, const Matrix& matrix) {
  const std::size_t n = compared.tasks.size();
  std::vector<std::vector<HtmlTable::Cell>> cells(n, std::vector<HtmlTable::Cell>(n, {"&#183;", "none"}));
  for (std::size_t i = 0; i < n; ++i) cells[i][i] = {matrix.diagonal, "none"};
  for (const TaskPair& pair : compared.comparison.pairs) {
    const double value = matrix.value(pair);
    if (!std::isfinite(value)) continue;
    cells[pair.a][pair.b] = cells[pair.b][pair.a] = {value_text(value), style_on(matrix.begin, matrix.end, value)};
  }
  std::vector<HtmlTable::Cell> headings{{""}};
  for (std::size_t i = 0; i < n; ++i) headings.push_back({std::to_string(i + 1)});
  HtmlTable table("map", headings);
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<HtmlTable::Cell> row{{std::to_string(i + 1) + " " + name_html(compared.tasks[i].revision)}};
    row.insert(row.end(), cells[i].begin(), cells[i].end());
    table.add(std::move(row));
  }
  return "<figure>\n<h3>" + std::string(matrix.title) + "</h3>\n" + scrolling(matrix.title, table.html()) + "<figcaption>" + matrix.note + "</figcaption>\n" +
         legend(matrix.begin, matrix.end) + "</figure>\n";
}

}  // namespace

std::string together_section(const ComparedTasks& compared) {
  if (compared.comparison.pairs.empty()) return "";
  std::string content;
  for (const Matrix& matrix : kMatrices) content += matrix_html(compared, matrix);
  return section("How the tasks go together",
                 "Only tasks on one base are compared; a dot stands for what cannot be.",
                 "<div class=\"maps\">\n" + content + "</div>\n");
}

}  // namespace dstore::cli
