#include "repo/checkout.h"

#include "checkout_output.h"
#include "command.h"
#include "dstore/error.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  const Revision revision = resolve_revision(repository, arguments.get("rev"));
  const std::string folder = session.path(arguments.get("output"));
  if (folder.empty()) throw Error(ErrorCode::invalid_argument, "say where to: dstore checkout REV -o FOLDER");
  CheckoutOptions options;
  options.force = arguments.has("force");
  options.single_file = arguments.has("single-file");
  options.verify = arguments.has("verify");
  const std::string format = arguments.get("format", "model");
  if (format != "model" && format != "peft") throw Error(ErrorCode::invalid_argument, "--format: expected model or peft, not " + printable(format));
  options.adapter = format == "peft";
  if (options.adapter && options.single_file) throw Error(ErrorCode::invalid_argument, "--single-file does not go with --format peft");
  options.notice = [&](const std::string& line) { session.note("note: " + line); };
  const auto base = base_from(arguments, session, repository, commit_on_base(revision));
  CheckoutReport report;
  {
    const Progress progress = session.progress("checking out");
    report = checkout(repository, revision, folder, options, progress);
  }
  print_written(session, folder, revision.text, report);
  return 0;
}

}  // namespace

Command checkout_command() {
  return {"checkout", "Work", "Write a model's files: a base, a task, base+task, or what is computed from several",
          "dstore checkout base+sst2 -o ./out\n  dstore checkout 'base+0.7*sst2+0.3*mnli' -o ./both\n  dstore checkout 'merge(ties,density=0.2: sst2, mnli)' -o ./merged",
          {{"rev", "base, task, base+task, task~1, a tag or an id prefix; base+0.7*a - b, merge(METHOD: a, b), rebase(task, newbase)"}},
          {{"-o,--output", "FOLDER", "A new folder, or an earlier checkout: only what differs is rewritten (required)"},
           {"--format", "model|peft", "The model (default), or the PEFT folder that the task was committed from, byte for byte"},
           {"--force", nullptr, "Overwrite changed and foreign files"},
           {"--base-from", "FOLDER", "Read the base that is not in the store from this folder"},
           {"--single-file", nullptr, "All tensors in one model.safetensors"},
           {"--verify", nullptr, "Hash the files that are kept, not only their size and time"}},
          run};
}

}  // namespace dstore::cli
