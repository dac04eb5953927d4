#include "repo/checkout.h"

#include "command.h"
#include "dstore/error.h"
#include "output.h"
#include "three_way_output.h"

namespace dstore::cli {
namespace {

std::string signature_line(const Session& session, const CheckedCommit& commit) {
  const std::string id = commit.id.short_hex();
  if (commit.signature.verdict == Verdict::unsigned_) return session.paint("33", "commit " + id + " is unsigned");
  return "commit " + id + ": " + session.paint("32", printable(commit.signature.reason));
}

void print_json_report(const CheckoutReport& report, const std::string& folder) {
  Json json;
  json.set("folder", folder);
  json.set("weights", report.weights.is_none() ? std::string() : report.weights.hex());
  if (report.overlap) {
    json.set("changed", static_cast<std::int64_t>(report.overlap->changed));
    json.set("shared", static_cast<std::int64_t>(report.overlap->shared));
  }
  json.set("written", static_cast<std::int64_t>(report.written));
  json.set("kept", static_cast<std::int64_t>(report.kept));
  json.set("removed", static_cast<std::int64_t>(report.removed));
  json.set("bytes", static_cast<std::int64_t>(report.bytes));
  Json::Array commits;
  for (const CheckedCommit& commit : report.commits) {
    Json row;
    row.set("id", commit.id.hex());
    row.set("signature", verdict_name(commit.signature.verdict));
    row.set("principal", commit.signature.principal);
    commits.push_back(std::move(row));
  }
  json.set("commits", Json(std::move(commits)));
  print_json(json.serialize());
}

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  const Revision revision = resolve_revision(repository, arguments.get("rev"));
  const std::string folder = session.path(arguments.get("output"));
  if (folder.empty()) throw Error(ErrorCode::invalid_argument, "say where to: dstore checkout REV -o FOLDER");
  CheckoutOptions options;
  options.force = arguments.has("force");
  options.single_file = arguments.has("single-file");
  options.verify = arguments.has("verify");
  options.notice = [&](const std::string& line) { session.note("note: " + line); };
  if (revision.computed && arguments.has("base-from")) {
    throw Error(ErrorCode::invalid_argument, "--base-from goes with one commit or base+task, not with a computed revision; `dstore import --link FOLDER` makes the base known");
  }
  const auto base = base_from(arguments, session, repository, revision.commit);
  CheckoutReport report;
  {
    const Progress progress = session.progress("checking out");
    report = checkout(repository, revision, folder, options, progress);
  }
  if (session.json) {
    print_json_report(report, folder);
    return 0;
  }
  for (const CheckedCommit& commit : report.commits) session.say(signature_line(session, commit));
  std::string line = printable(folder) + ": " + printable(revision.text) + ", " + std::to_string(report.written) + " files written (" + human_size(report.bytes) + ")";
  if (report.in_place) line += ", " + std::to_string(report.kept) + " kept";
  if (report.removed > 0) line += ", " + std::to_string(report.removed) + " removed";
  session.say(line);
  if (report.overlap) session.say(overlap_text(*report.overlap));
  session.say(report.weights.is_none() ? "verified: the " + std::to_string(report.commits.size()) + " commits that it is computed from"
                                       : "verified: weights " + report.weights.hex());
  return 0;
}

}  // namespace

Command checkout_command() {
  return {"checkout", "Work", "Write a model's files: a base, a task, base+task, or what is computed from several",
          "dstore checkout base+sst2 -o ./out\n  dstore checkout 'base+0.7*sst2+0.3*mnli' -o ./both\n  dstore checkout 'merge(ties,density=0.2: sst2, mnli)' -o ./merged",
          {{"rev", "base, task, base+task, task~1, a tag or an id prefix; base+0.7*a - b, merge(METHOD: a, b), rebase(task, newbase)"}},
          {{"-o,--output", "FOLDER", "A new folder, or an earlier checkout: only what differs is rewritten (required)"},
           {"--force", nullptr, "Overwrite changed and foreign files"},
           {"--base-from", "FOLDER", "Read the base that is not in the store from this folder"},
           {"--single-file", nullptr, "All tensors in one model.safetensors"},
           {"--verify", nullptr, "Hash the files that are kept, not only their size and time"}},
          run};
}

}  // namespace dstore::cli
