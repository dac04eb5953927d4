#include <nlohmann/json.hpp>

#include "command.h"
#include "dstore/error.h"
#include "exit_code.h"
#include "study/cell_output.h"
#include "study/report.h"
#include "study/run_study.h"

namespace dstore::cli {
namespace {

int report(const Arguments& arguments, Session& session, const Study& study) {
  const Repository repository = session.open();
  const Cells cells(session, study, repository);
  const std::string folder = session.path(arguments.get("report"));
  const Results results(repository, study, cells, session.progress("comparing"));
  write_study_report(session.fs(), results, folder);
  if (session.json) print_json(nlohmann::ordered_json{{"report", join_path(folder, "index.html")}, {"runs", results.runs.size()}}.dump());
  session.say(printable(join_path(folder, "index.html")) + " and 5 CSV files: " + std::to_string(results.runs.size()) + (results.runs.size() == 1 ? " run" : " runs"));
  return kSuccess;
}

int run(const Arguments& arguments, Session& session) {
  const std::string path = session.path(arguments.get("file"));
  const Study study = read_study(session.fs(), path);
  if (arguments.has("report")) return report(arguments, session, study);
  if (arguments.has("dry-run")) {
    const Cells cells(session, study, session.open());
    const auto chosen = chosen_cells(cells, arguments.get("only"));
    print_cells(session, study, cells, chosen);
    return count_left(chosen) == 0 ? kSuccess : kFindings;
  }
  return run_study(arguments, session, study);
}

}  // namespace

Command study_command() {
  return {"study", "Work", "Run a grid of methods, seeds, densities and tasks into commits, and report on them",
          "dstore study wordnet.yml --max-minutes 60\n  dstore study wordnet.yml --report out",
          {{"file", "YAML: what to run (docs/study.md)"}},
          {{"--dry-run", nullptr, "Show the cells, what is done and how long the rest takes"},
           {"--only", "PATTERN", "Only cells of such a name: 'topic/full/*'"},
           {"--max-minutes", "M", "Stop before the cell that would end later"},
           {"--report", "DIR", "Only write a page and CSVs of what is done"},
           {"--author", "WHO", "Author of the commits"},
           {"--no-sign", nullptr, "Make unsigned commits"}},
          run};
}

}  // namespace dstore::cli
