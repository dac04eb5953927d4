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

/// What is printed, and where it comes from.
struct Listing {
  Catalog& catalog;
  const RefNames& refs;
  std::vector<ObjectId> commits;
};

void print_lines(const Session& session, const Listing& listing, bool draw_lanes) {
  LogLines lines(terminal_width(), listing.commits.size());
  std::vector<std::vector<ObjectId>> parents(draw_lanes ? listing.commits.size() : 0);
  listing.catalog.each(listing.commits, [&](std::size_t i, const CommitFacts& facts) {
    lines.set(i, listing.refs, facts);
    if (draw_lanes) parents[i] = facts.commit.parents;
  });
  LogGraph graph;
  for (std::size_t i = 0; i < parents.size(); ++i) {
    LogGraph::Row row = graph.next(listing.commits[i], parents[i]);
    lines.draw(i, std::move(row.commit), std::move(row.after));
  }
  std::string text = lines.text(session);
  if (text.empty()) return;
  text.pop_back();
  session.say(text);
}

void print_blocks(const Session& session, const Listing& listing) {
  std::string text;
  for (const ObjectId& id : listing.commits) text += commit_block(session, listing.refs, listing.catalog.facts(id)) + "\n";
  for (int i = 0; i < 2 && text.ends_with('\n'); ++i) text.pop_back();
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
  Listing listing{catalog, refs.names, catalog.history(heads)};
  const bool is_empty = listing.commits.empty();
  const bool in_order = !arguments.has("sort") && !is_filtered(arguments);
  if (!in_order || grouping) {
    std::vector<const CommitFacts*> chosen = catalog.commits(listing.commits);
    filter_commits(arguments, session, repository, catalog, refs, chosen);
    if (arguments.has("sort")) sort_commits(arguments.get("sort"), chosen);
    if (grouping && !chosen.empty()) {
      print_groups(session, arguments.get("group-by"), catalog, refs, chosen, limit);
      return 0;
    }
    listing.commits.clear();
    for (const CommitFacts* facts : chosen) listing.commits.push_back(facts->id);
  }
  if (listing.commits.size() > limit) listing.commits.resize(limit);

  if (session.json) {
    auto out = nlohmann::ordered_json::array();
    for (const ObjectId& id : listing.commits) out.push_back(commit_json(refs.names, catalog.facts(id)));
    print_pretty(out);
  } else if (listing.commits.empty()) {
    session.note(is_empty ? "no commits yet; `dstore import FOLDER --name NAME` makes the first one" : "no commit fits all of these filters");
  } else if (arguments.has("graph") || arguments.has("oneline")) {
    print_lines(session, listing, arguments.has("graph") && in_order);
  } else {
    print_blocks(session, listing);
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
