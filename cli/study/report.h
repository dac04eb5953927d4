#pragma once

#include <string>

#include "study/results.h"

namespace dstore::cli {

/// index.html and the CSVs of docs/study.md, each whole or not at all, in a folder that is made if it is not there.
void write_study_report(Filesystem& fs, const Results& results, const std::string& folder);

/// The CSVs: name and content.
std::vector<std::pair<std::string, std::string>> study_tables(const Results& results);

// One function a section of the page, in sections.cc, charts.cc, costs.cc and masks.cc. Empty where there is nothing to show.
std::string questions_section(const Results& results);
std::string methods_section(const Results& results);
std::string size_chart_section(const Results& results);
std::string sweep_section(const Results& results);
std::string curves_section(const Results& results);
std::string costs_section(const Results& results);
std::string overlap_section(const Results& results);
std::string shares_section(const Results& results);
std::string rates_section(const Results& results);
std::string failures_section(const Results& results);
std::string environment_section(const Results& results);

/// What a question's interval says.
enum class Verdict { yes, no, open };
Verdict verdict(const StudyQuestion& question, const PairedInterval& interval);
/// Of a share: "-1.23" points of accuracy.
std::string points_text(double share, bool sign = true);
/// "86.31 ± 0.12".
std::string mean_text(const std::optional<MeanStd>& value);
/// The share of all changed positions of a run that lies in each part: by layer and by role.
struct MaskShare {
  std::string by, part;
  std::uint64_t weights = 0, changed = 0;
  double share = 0;
};
std::vector<MaskShare> mask_shares(const TaskChanges& changes);

}  // namespace dstore::cli
