#include "study/report.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "report/html.h"

namespace dstore::cli {
namespace {

std::string page(const Results& results) {
  const Study& study = results.study;
  const auto total = std::count_if(results.cells.all().begin(), results.cells.all().end(), [](const Cell& cell) { return !cell.candidate; });
  const std::string summary = std::to_string(study.methods.size()) + " methods, " + std::to_string(study.tasks.size()) + (study.tasks.size() == 1 ? " task, " : " tasks, ") +
                              std::to_string(study.seeds.size()) + (study.seeds.size() == 1 ? " seed" : " seeds") + ", trained from " + name_html(study.base) + ": " + std::to_string(results.runs.size()) +
                              " of " + std::to_string(total) + " runs are done.";
  std::string sections;
  for (const auto& make : {questions_section, methods_section, size_chart_section, sweep_section, curves_section, costs_section, overlap_section, shares_section, rates_section,
                           failures_section, environment_section}) {
    sections += make(results);
  }
  return fill_template(kPageTemplate, {{"title", escaped("Study " + study.name)},
                                       {"heading", "Study " + name_html(study.name)},
                                       {"summary", summary},
                                       {"style", std::string(kPageStyle)},
                                       {"sections", sections},
                                       {"footer", "Made by dstore study, from commits alone. The numbers of every run and curve are in the CSV files beside this page."}});
}

}  // namespace

void write_study_report(Filesystem& fs, const Results& results, const std::string& folder) {
  make_directories(fs, folder);
  for (const auto& [name, content] : study_tables(results)) write_file_atomically(fs, join_path(folder, name), as_bytes(content));
  const std::string html = page(results);
  write_file_atomically(fs, join_path(folder, "index.html"), as_bytes(html));
}

}  // namespace dstore::cli
