#include <nlohmann/json.hpp>

#include "command.h"
#include "log_graph.h"
#include "log_line.h"
#include "log_order.h"
#include "output.h"
#include "repo/history.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

std::vector<ObjectId> starting_points(const Arguments& arguments, const Repository& repository) {
  if (arguments.has("rev")) return {resolve_commit(repository, arguments.get("rev"))};
  std::vector<ObjectId> heads;
  for (const auto& [commit, names] : ref_names(repository, arguments.has("all"))) heads.push_back(commit);
  return heads;
}

void print_lines(const Session& session, const Repository& repository, CommitSizer& sizer, const RefNames& refs,
                 const std::vector<CheckedCommit>& commits, bool draw_lanes) {
  LogGraph graph;
  LogLines lines(terminal_width());
  for (const CheckedCommit& commit : commits) {
    LogGraph::Row row;
    if (draw_lanes) row = graph.next(commit.id, commit.commit.parents);
    lines.add(repository, sizer, refs, commit, row.commit, row.after);
  }
  std::string text = lines.text(session);
  if (text.empty()) return;
  text.pop_back();
  session.say(text);
}

/// --json: an array of what commit_json() describes, in the order of the text.
int run(const Arguments& arguments, Session& session) {
  const Repository repository = session.open();
  CommitSizer sizer(repository);
  const RefNames refs = ref_names(repository, true);
  const std::size_t limit = arguments.number("max-count").value_or(~std::uint64_t{0});
  const bool sorted = arguments.has("sort");

  std::vector<CheckedCommit> commits;
  for (const ObjectId& id : history(repository, starting_points(arguments, repository))) {
    if (!sorted && commits.size() >= limit) break;
    commits.push_back(repository.check_commit(id));
  }
  if (sorted) sort_commits(repository, sizer, arguments.get("sort"), commits);
  if (commits.size() > limit) commits.erase(commits.begin() + static_cast<std::ptrdiff_t>(limit), commits.end());

  if (session.json) {
    auto out = nlohmann::ordered_json::array();
    for (const CheckedCommit& commit : commits) out.push_back(commit_json(repository, sizer, refs, commit));
    print_pretty(out);
    return 0;
  }
  if (commits.empty()) {
    session.note("no commits yet; `dstore import FOLDER --name NAME` makes the first one");
    return 0;
  }
  if (arguments.has("graph") || arguments.has("oneline")) {
    print_lines(session, repository, sizer, refs, commits, arguments.has("graph") && !sorted);
    return 0;
  }
  for (std::size_t i = 0; i < commits.size(); ++i) {
    std::string block = commit_block(session, repository, sizer, refs, commits[i]);
    if (i + 1 == commits.size() && block.ends_with('\n')) block.pop_back();
    session.say(block);
  }
  return 0;
}

}  // namespace

Command log_command() {
  return {"log", "Look", "History: commits with method, size, metric and signer",
          "dstore log --all --sort -accuracy -n 1",
          {{"rev", "Start here (default: every branch and tag)", PositionalSpec::optional}},
          {{"--graph", nullptr, "One line a commit, with the lines of history"},
           {"--oneline", nullptr, "One line a commit"},
           {"-a,--all", nullptr, "Also the remotes' branches and tags, as last fetched"},
           {"-n,--max-count", "N", "At most N commits"},
           {"--sort", "FIELD", "By time, size, density, method or a metric's name (test, else dev); -FIELD: greatest first"}},
          run};
}

}  // namespace dstore::cli
