#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_view.h"
#include "log_filter.h"
#include "log_graph.h"
#include "log_group.h"
#include "log_line.h"
#include "log_order.h"
#include "output.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

void print_lines(const Session& session, const RefNames& refs, const std::vector<const CommitFacts*>& commits, bool draw_lanes) {
  LogGraph graph;
  LogLines lines(terminal_width());
  for (const CommitFacts* facts : commits) {
    LogGraph::Row row;
    if (draw_lanes) row = graph.next(facts->id, facts->commit.parents);
    lines.add(refs, *facts, row.commit, row.after);
  }
  std::string text = lines.text(session);
  if (text.empty()) return;
  text.pop_back();
  session.say(text);
}

void print_blocks(const Session& session, const RefNames& refs, const std::vector<const CommitFacts*>& commits) {
  std::string text;
  for (const CommitFacts* facts : commits) {
    std::string block = commit_block(session, refs, *facts);
    if (facts == commits.back() && block.ends_with('\n')) block.pop_back();
    text += block + "\n";
  }
  text.pop_back();
  session.say(text);
}

bool is_filtered(const Arguments& arguments) {
  const auto& options = filter_options();
  return std::any_of(options.begin(), options.end(), [&](const OptionSpec& option) { return arguments.has(std::string(option.names).substr(2)); });
}

/// --json: an array of what commit_json() describes, in the order of the text; with --group-by, what print_groups() does.
int run(const Arguments& arguments, Session& session) {
  const Repository repository = session.open();
  const std::size_t limit = arguments.number("max-count").value_or(~std::uint64_t{0});
  const bool grouping = arguments.has("group-by");
  const RefView refs = view_refs(session, repository);
  Catalog catalog(repository, session.progress("cataloguing"));
  const auto heads = arguments.has("rev") ? std::vector{resolve_commit(repository, arguments.get("rev"))} : refs.commits(arguments.has("all"));
  std::vector<const CommitFacts*> commits = catalog.history(heads);
  const bool is_empty = commits.empty();
  filter_commits(arguments, repository, catalog, refs, commits);
  if (arguments.has("sort")) sort_commits(arguments.get("sort"), commits);
  if (commits.size() > limit && !grouping) commits.resize(limit);

  if (commits.empty() && !session.json) {
    session.note(is_empty ? "no commits yet; `dstore import FOLDER --name NAME` makes the first one" : "no commit fits all of these filters");
    return 0;
  }
  if (grouping) {
    print_groups(session, arguments.get("group-by"), catalog, refs, commits, limit);
  } else if (session.json) {
    auto out = nlohmann::ordered_json::array();
    for (const CommitFacts* facts : commits) out.push_back(commit_json(refs.names, *facts));
    print_pretty(out);
  } else if (arguments.has("graph") || arguments.has("oneline")) {
    print_lines(session, refs.names, commits, arguments.has("graph") && !arguments.has("sort") && !is_filtered(arguments));
  } else {
    print_blocks(session, refs.names, commits);
  }
  return 0;
}

std::vector<OptionSpec> options() {
  std::vector<OptionSpec> all = {
      {"--graph", nullptr, "One line a commit, with the lines of history"},
      {"--oneline", nullptr, "One line a commit"},
      {"-a,--all", nullptr, "Also the remotes' branches and tags, as last fetched"},
      {"-n,--max-count", "N", "At most N commits (or groups)"},
      {"--sort", "FIELD", "By time, size, density, method or a metric's name (test, else dev); -FIELD: greatest first"},
      {"--group-by", "FIELD", "One line for each task, method, base, signer, author or density"}};
  all.insert(all.end(), filter_options().begin(), filter_options().end());
  return all;
}

}  // namespace

Command log_command() {
  return {"log", "Look", "History: commits with method, size, metric and signer",
          "dstore log --all --sort -accuracy -n 1\n  dstore log --oneline --method 'diff-*' --metric 'acc>=0.9' --since 2w",
          {{"rev", "Start here (default: every branch and tag)", PositionalSpec::optional}},
          options(), run};
}

}  // namespace dstore::cli
