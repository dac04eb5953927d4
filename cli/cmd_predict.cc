#include "command.h"
#include "trainer_process.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  if (explain_without_trainer(session, predict_command(), arguments.rest)) return 0;
  return run_trainer(session, trainer_words(session, "predict", arguments.rest));
}

}  // namespace

Command predict_command() {
  return {"predict", "Work", "Label texts with a revision or folder, from a file or a pipe", "dstore predict base+sst2 --data texts.tsv -o predictions.tsv", {}, {}, run, true};
}

}  // namespace dstore::cli
