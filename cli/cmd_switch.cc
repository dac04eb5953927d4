#include "checkout_output.h"
#include "command.h"
#include "repo/apply.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  const Revision revision = resolve_revision(repository, arguments.get("rev"));
  const std::string folder = session.path(arguments.get("folder"));
  ChangeOptions options;
  options.verify = arguments.has("verify");
  options.notice = [&](const std::string& line) { session.note("note: " + line); };
  ApplyReport report;
  {
    const Progress progress = session.progress("switching");
    report = switch_folder(repository, revision, folder, arguments.has("single-file"), options, progress);
  }
  print_change(session, folder, report);
  return 0;
}

}  // namespace

Command switch_command() {
  return {"switch", "Work", "Make another revision of a checked-out folder, writing only the pages that change",
          "dstore switch base+mnli ./out\n  dstore switch 'base+0.7*sst2 - toxic' ./out",
          {{"rev", "base, task, base+task, task~1, a tag, an id prefix, or what is computed from several"}, {"folder", "A checked-out folder"}},
          {{"--single-file", nullptr, "All tensors in one model.safetensors"},
           {"--verify", nullptr, "Hash every file before, and the changed ones afterwards"}},
          run};
}

}  // namespace dstore::cli
