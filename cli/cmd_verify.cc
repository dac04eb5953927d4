#include <mutex>

#include "command.h"
#include "dstore/error.h"
#include "exit_code.h"
#include "output.h"
#include "repo/compose.h"
#include "repo/forgotten.h"
#include "repo/missing_objects.h"
#include "repo/shard_stream.h"

namespace dstore::cli {
namespace {

/// A revision: signatures, and every file of its checkout produced and compared, without writing it.
int verify_revision(const Arguments& arguments, const Session& session, const Repository& repository) {
  const Revision revision = resolve_revision(repository, arguments.get("rev"));
  const LoadedRevision loaded = load_revision(repository, revision);
  std::uint64_t bytes = 0;
  {
    const Progress progress = session.progress("verifying");
    std::mutex mutex;
    std::uint64_t total = 0;
    for (const ShardFile& shard : loaded.files.shards) total += shard.bytes();
    for (const ShardFile& shard : loaded.files.shards) {
      stream_shard(*loaded.files.weights, shard, 0, [&](std::uint64_t, ByteSpan part) {
        const std::scoped_lock lock(mutex);
        bytes += part.size();
        if (progress) progress(bytes, total);
      });
    }
  }
  for (const auto& [path, file] : loaded.files.files) {
    if (file.file) repository.read_file_object(*file.file, [&](ByteSpan part) { bytes += part.size(); });
  }
  if (session.json) {
    Json json;
    json.set("weights", loaded.files.weights->weights_id().hex());
    json.set("bytes", static_cast<std::int64_t>(bytes));
    json.set("signature", verdict_name(loaded.commits.front().signature.verdict));
    print_json(json.serialize());
    return 0;
  }
  for (const CheckedCommit& commit : loaded.commits) session.say("commit " + commit.id.short_hex() + ": " + printable(commit.signature.reason));
  session.say("verified: " + human_size(bytes) + ", weights " + loaded.files.weights->weights_id().hex());
  return 0;
}

/// A ref's chain and the signatures of its entries. Adds its head to `heads`.
void verify_ref(const Repository& repository, const RefName& ref, std::vector<ObjectId>& heads) {
  const std::vector<RefEntry> entries = repository.refs().entries(ref);
  for (const RefEntry& entry : entries) {
    if (entry.signature.empty()) continue;
    const std::string what = "ref " + ref.text() + ", move " + std::to_string(entry.sequence);
    const std::string payload = entry.payload();
    repository.trust().check(dearmor(entry.signature, what), kRefNamespace, as_bytes(payload)).require_good(what);
  }
  if (!entries.empty() && !entries.back().is_deletion() && !is_forgotten_name(ref)) heads.push_back(entries.back().new_commit);
}

/// The whole store: every record, every commit's signature, every ref's chain, and that nothing is missing.
int verify_store(const Session& session, const Repository& repository) {
  std::vector<std::string> problems;
  std::vector<StoreProblem> damage;
  {
    const Progress progress = session.progress("verifying");
    damage = repository.store().verify_all(progress);
  }
  for (const StoreProblem& problem : damage) problems.push_back(problem.message);
  std::size_t commits = 0, unsigned_commits = 0;
  repository.store().for_each(ObjectKind::commit, [&](const ObjectEntry& entry) {
    ++commits;
    try {
      const Verification signature = repository.check_commit(entry.id).signature;
      if (signature.verdict == Verdict::unsigned_) {
        ++unsigned_commits;
      } else if (signature.verdict != Verdict::good) {
        problems.push_back("commit " + entry.id.short_hex() + ": " + signature.reason);
      }
    } catch (const Error& error) {
      problems.push_back(error.what());
    }
  });
  std::vector<ObjectId> heads;
  for (const RefName& ref : repository.refs().list()) {
    try {
      verify_ref(repository, ref, heads);
    } catch (const Error& error) {
      problems.push_back(error.what());
    }
  }
  for (std::string& problem : missing_objects(repository, heads)) problems.push_back(std::move(problem));
  const std::size_t forgotten = forgotten_commits(repository).size();
  if (session.json) {
    Json::Array list;
    for (const std::string& problem : problems) list.emplace_back(printable(problem));
    Json json;
    json.set("problems", Json(std::move(list)));
    json.set("commits", static_cast<std::int64_t>(commits));
    json.set("unsigned", static_cast<std::int64_t>(unsigned_commits));
    json.set("forgotten", static_cast<std::int64_t>(forgotten));
    print_json(json.serialize());
  } else {
    for (const std::string& problem : problems) session.say(session.paint("31", printable(problem)));
    session.say(std::to_string(repository.store().packs().size()) + " packs and " + std::to_string(commits) + " commits verified" +
                (unsigned_commits > 0 ? " (" + std::to_string(unsigned_commits) + " unsigned)" : "") +
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
  return {"verify", "Look", "Check every hash and signature of the store, or of one revision's checkout", "dstore verify base+sst2",
          {{"rev", "Only this revision (default: the whole store)", PositionalSpec::optional}}, {}, run};
}

}  // namespace dstore::cli
