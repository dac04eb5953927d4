#include "command.h"
#include "transfer_output.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  const std::string remote = choose_remote(repository, arguments);
  const Committer committer = session.committer(arguments);
  TransferOptions options;
  options.force = arguments.has("force");
  options.notice = [&](const std::string& line) { session.note("note: " + line); };
  TransferReport report;
  {
    const Progress progress = session.progress("pushing");
    report = push(repository, remote, chosen_refs(arguments), committer, options, progress);
  }
  print_transfer(session, "sent", remote, report);
  return 0;
}

}  // namespace

Command push_command() {
  return {"push", "Share", "Send branches and tags; only what is missing there travels", "dstore push origin sst2",
          {{"remote", "Default: origin", PositionalSpec::optional}, {"ref", "Branches and tags (default: all)", PositionalSpec::any}},
          {{"--force", nullptr, "Move a branch of the remote also where that drops commits from it"},
           {"--no-sign", nullptr, "Do not sign the move"}},
          run};
}

}  // namespace dstore::cli
