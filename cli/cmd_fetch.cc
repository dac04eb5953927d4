#include "command.h"
#include "transfer_output.h"

namespace dstore::cli {
namespace {

const std::vector<OptionSpec> kOptions = {{"--allow-unsigned", nullptr, "Take commits that nobody signed"}};

TransferReport fetch_now(const Arguments& arguments, Session& session, Repository& repository, const std::string& remote) {
  TransferOptions options;
  options.allow_unsigned = arguments.has("allow-unsigned");
  options.notice = [&](const std::string& line) { session.note("note: " + line); };
  const Progress progress = session.progress("fetching");
  return fetch(repository, remote, options, progress);
}

int run_fetch(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  const std::string remote = choose_remote(repository, arguments);
  print_transfer(session, "received", remote, fetch_now(arguments, session, repository, remote));
  return 0;
}

int run_pull(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  const std::string remote = choose_remote(repository, arguments);
  TransferReport report = fetch_now(arguments, session, repository, remote);
  const TransferReport moved = fast_forward(repository, remote, chosen_refs(arguments), session.committer(arguments));
  report.refs = moved.refs;
  report.skipped = moved.skipped;
  print_transfer(session, "received", remote, report);
  return 0;
}

}  // namespace

Command fetch_command() {
  return {"fetch", "Share", "Receive a remote's branches as REMOTE/NAME, verified; local branches stay", "dstore fetch origin",
          {{"remote", "Default: origin", PositionalSpec::optional}}, kOptions, run_fetch};
}

Command pull_command() {
  std::vector<OptionSpec> options = kOptions;
  options.push_back({"--no-sign", nullptr, "Do not sign the moves of local branches"});
  return {"pull", "Share", "Fetch, then move local branches forward", "dstore pull origin sst2",
          {{"remote", "Default: origin", PositionalSpec::optional}, {"ref", "Branches and tags (default: all)", PositionalSpec::any}},
          options, run_pull};
}

}  // namespace dstore::cli
