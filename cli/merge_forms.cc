#include "merge_forms.h"

#include <nlohmann/json.hpp>

#include "commit_view.h"
#include "dstore/error.h"
#include "output.h"
#include "three_way_output.h"

namespace dstore::cli {

using nlohmann::ordered_json;

int run_merge_into(const Arguments& arguments, Session& session) {
  const std::vector<std::string> revisions = arguments.all("rev");
  if (revisions.size() != 1) throw Error(ErrorCode::invalid_argument, "--into BRANCH takes one revision to merge into it, not " + std::to_string(revisions.size()));
  for (const char* option : {"name", "method", "heads", "config", "statistics"}) {
    if (!arguments.has(option)) continue;
    const bool method = option == std::string_view("method");
    throw Error(ErrorCode::invalid_argument, "--into and --" + std::string(option) + " exclude each other" +
                                                 (method ? "; --on-conflict METHOD decides what is in conflict" : ""));
  }
  std::optional<MergeSettings> settings;
  ThreeWayOptions options = three_way_options(arguments, kMergeWords, settings);
  const RefName branch = RefName::parse(arguments.get("into"));
  options.message = arguments.get("message", "merge " + revisions.front() + " into " + branch.text());
  if (options.message.empty()) throw Error(ErrorCode::invalid_argument, "say what this commit is: -m MSG");
  Repository repository = session.open();
  const MergeSource theirs = find_merge_source(repository, revisions.front());
  const Committer committer = session.committer(arguments);
  const ThreeWayOutcome outcome = merge_into(repository, theirs, branch, options, committer, session.progress("merging"));
  return print_three_way(session, outcome, kMergeWords, branch.text(), theirs.text, options.dry_run);
}

int run_merge_computed(const Arguments& arguments, Session& session, Repository& repository, const Revision& revision) {
  for (const char* option : {"method", "weights", "density", "set", "preset", "statistics", "heads", "seed", "vocab"}) {
    if (!arguments.has(option)) continue;
    throw Error(ErrorCode::invalid_argument, "--" + std::string(option) + " goes with tasks; \"" + printable(revision.text) + "\" says itself how it is computed");
  }
  const std::string message = arguments.get("message", revision.text);
  if (message.empty()) throw Error(ErrorCode::invalid_argument, "say what this commit is: -m MSG");
  const RefName branch = RefName::parse(arguments.get("name"));
  const Committer committer = session.committer(arguments);
  const ComputedReport report = commit_computed(repository, revision, message, branch, committer, session.progress("merging"));
  if (session.json) {
    print_pretty(ordered_json{{"commit", report.commit.hex()}, {"branch", branch.text()}, {"base", report.base.hex()}, {"expression", revision.computed->pinned()},
                              {"changed", report.delta.changed}, {"elements", report.delta.base_elements},
                              {"shared", report.overlap ? ordered_json(report.overlap->shared) : ordered_json()},
                              {"full_bytes", report.full_bytes}, {"stored_bytes", report.stored_bytes}});
    return 0;
  }
  session.say("[" + branch.text() + " " + report.commit.short_hex() + "] " + printable(revision.text) + ": " + changed_text(report.delta, report.full_bytes, report.stored_bytes));
  if (report.overlap) session.say(overlap_text(*report.overlap));
  return 0;
}

}  // namespace dstore::cli
