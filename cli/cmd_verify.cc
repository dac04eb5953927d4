#include <algorithm>

#include "command.h"
#include "dstore/error.h"
#include "exit_code.h"
#include "output.h"
#include "repo/forgotten.h"
#include "repo/fsck.h"
#include "repo/open_revision.h"

namespace dstore::cli {
namespace {

/// A revision: signatures, and every file of its checkout produced and compared, without writing it.
int verify_revision(const Arguments& arguments, const Session& session, const Repository& repository) {
  const Revision revision = resolve_revision(repository, arguments.get("rev"));
  const OpenRevision loaded = open_revision(repository, revision, session.progress("computing"));
  const std::string weights = loaded.files.weights ? loaded.files.weights->weights_id().hex() : "";
  std::uint64_t bytes = 0;
  {
    const Progress progress = session.progress("verifying");
    std::uint64_t total = 0, done = 0;
    for (const ShardFile& shard : loaded.files.shards) total += shard.bytes();
    bytes = reconstruct(repository, loaded.files, 0, [&](std::uint64_t part) {
      done += part;
      if (progress) progress(std::min(done, total), total);
    });
  }
  if (session.json) {
    Json json;
    if (!weights.empty()) json.set("weights", weights);
    json.set("bytes", static_cast<std::int64_t>(bytes));
    json.set("signature", verdict_name(loaded.commits.front().signature.verdict));
    print_json(json.serialize());
    return 0;
  }
  for (const CheckedCommit& commit : loaded.commits) session.say("commit " + commit.id.short_hex() + ": " + printable(commit.signature.reason));
  session.say("verified: " + human_size(bytes) + ", " + (weights.empty() ? "and the commits that it is computed from" : "weights " + weights));
  return 0;
}

/// The whole store: every record, every commit's signature, every ref's chain, and that nothing is missing.
int verify_store(const Session& session, const Repository& repository) {
  FsckOptions options;
  options.index = false;  // a cache
  options.progress = [&](const std::string& label) { return session.progress(label); };
  const FsckReport report = fsck(repository, options);
  std::vector<std::string> problems;
  for (const Finding& finding : report.findings) problems.push_back(finding.message);
  const std::size_t forgotten = forgotten_commits(repository).size();
  if (session.json) {
    Json::Array list;
    for (const std::string& problem : problems) list.emplace_back(printable(problem));
    Json json;
    json.set("problems", Json(std::move(list)));
    json.set("commits", static_cast<std::int64_t>(report.commits));
    json.set("unsigned", static_cast<std::int64_t>(report.unsigned_commits));
    json.set("evaluations", static_cast<std::int64_t>(report.evaluations));
    json.set("unsigned_evaluations", static_cast<std::int64_t>(report.unsigned_evaluations));
    json.set("forgotten", static_cast<std::int64_t>(forgotten));
    print_json(json.serialize());
  } else {
    for (const std::string& problem : problems) session.say(session.paint("31", printable(problem)));
    session.say(std::to_string(report.packs) + " packs and " + std::to_string(report.commits) + " commits verified" +
                (report.unsigned_commits > 0 ? " (" + std::to_string(report.unsigned_commits) + " unsigned)" : "") +
                (report.evaluations > 0 ? ", " + std::to_string(report.evaluations) + (report.evaluations == 1 ? " evaluation" : " evaluations") : "") +
                (report.unsigned_evaluations > 0 ? " (" + std::to_string(report.unsigned_evaluations) + " unsigned)" : "") +
                (forgotten > 0 ? ", " + std::to_string(forgotten) + " forgotten" : "") + ": " +
                (problems.empty() ? "no damage" : std::to_string(problems.size()) + (problems.size() == 1 ? " problem" : " problems")));
  }
  return problems.empty() ? 0 : exit_code(ErrorCode::corrupt);
}

int run(const Arguments& arguments, Session& session) {
  const Repository repository = session.open();
  return arguments.has("rev") ? verify_revision(arguments, session, repository) : verify_store(session, repository);
}

}  // namespace

Command verify_command() {
  return {"verify", "Look", "Check every hash and signature of the store, or of one revision's checkout", "dstore verify base+sst2\n  dstore verify 'base+0.7*sst2 - toxic'",
          {{"rev", "Only this revision (default: the whole store)", PositionalSpec::optional}}, {}, run};
}

}  // namespace dstore::cli
