#include "command.h"
#include "dstore/error.h"
#include "exit_code.h"
#include "study/cell_output.h"
#include "study/run_study.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  const std::string path = session.path(arguments.get("file"));
  const Study study = read_study(session.fs(), path);
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
  return {"study", "Work", "Run a grid of methods, seeds, densities and tasks into commits",
          "dstore study wordnet.yml --dry-run\n  dstore study wordnet.yml --max-minutes 60",
          {{"file", "YAML: what to run (docs/study.md)"}},
          {{"--dry-run", nullptr, "Show the cells, what is done and how long the rest takes"},
           {"--only", "PATTERN", "Only cells of such a name: 'topic/full/*'"},
           {"--max-minutes", "M", "Stop before the cell that would end later"},
           {"--author", "WHO", "Author of the commits"},
           {"--no-sign", nullptr, "Make unsigned commits"}},
          run};
}

}  // namespace dstore::cli
