#include <algorithm>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/decimal.h"
#include "command.h"
#include "commit_view.h"
#include "dstore/error.h"
#include "evaluation_view.h"
#include "measurement.h"
#include "output.h"
#include "repo/revision.h"
#include "trainer_process.h"
#include "version.h"

namespace dstore::cli {
namespace {

constexpr const char* kOwnOptions =
    "\nEvaluations that stay with a commit (docs/evaluations.md):\n"
    "  --record                    sign the result and store it: `dstore log`, `show`, `compare` and `query` show it\n"
    "  --split NAME                what the data is called there: test, dev (default: the data file's name without its ending)\n"
    "  --from FILE                 record what another program has measured: {\"data\": \"test.tsv\", \"n\": 500, \"metrics\": {\"accuracy\": 0.91}}\n"
    "  --list                      show what is recorded, of REV or of all\n"
    "  --author WHO, --no-sign     as in `dstore commit`\n"
    "  -C DIR                      work as if started in DIR\n";

bool is_folder(const Session& session, const std::string& typed) {
  const auto info = session.fs().stat(session.path(typed), true);
  return info && info->type == FileInfo::Type::directory;
}

/// What is measured, by which words the trainer will find exactly that.
Revision recorded_revision(const Session& session, const Repository& repository, const std::string& typed) {
  const auto fail = [&] {
    throw Error(ErrorCode::invalid_argument, printable(typed) + " is a folder, and an evaluation belongs to a commit; commit it first (`dstore commit " + printable(typed) +
                                                 " --base REV --name TASK -m MSG`), then measure the commit, or leave --record out");
  };
  if (typed == "." || typed == ".." || typed.starts_with('/') || typed.starts_with("./") || typed.starts_with("../") || typed.ends_with('/')) fail();
  try {
    return resolve_revision(repository, typed);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found && is_folder(session, typed)) fail();
    throw;
  }
}

/// Has the trainer measure the revision; what it found is left in a file under tmp/. Its exit status where that is not 0.
int measure(const Session& session, Repository& repository, const Revision& revision, const Arguments& arguments, Evaluation& out) {
  std::vector<Lease> leases;  // a collection may run meanwhile
  for (const ObjectId& id : named_commits(revision)) leases.push_back(keep_commit(repository, id));
  const std::string file = repository.path("tmp/" + leases.front().name() + "-eval");
  std::vector<std::string> rest = arguments.rest;
  rest.front() = pinned(revision);
  std::vector<std::string> words = trainer_words(session, "eval", rest);
  words.insert(words.begin() + 2, {"--out", file});
  const int status = run_trainer(session, words);
  if (status != 0) return status;
  out = read_measurement(session.fs(), file, session.directory, revision.text);
  session.fs().remove(file);
  out.environment["dstore"] = program_version();
  return 0;
}

/// --json: what `dstore eval --list --json` shows of it, with {model: as typed}.
void print_recorded(const Session& session, const Repository& repository, const std::string& typed, const ObjectId& id) {
  const CheckedEvaluation checked = check_evaluation(repository, id);
  if (session.json) {
    nlohmann::ordered_json out{{"model", typed}};
    out.update(evaluation_json(checked));
    print_pretty(out);
    return;
  }
  const Evaluation& evaluation = checked.evaluation;
  std::ostringstream text;
  text << printable(typed) << " on " << printable(evaluation.data.empty() ? evaluation.data_sha256.short_hex() : evaluation.data)
       << " (n = " << evaluation.n << ")\n";
  for (const auto& [name, value] : evaluation.metrics) text << "  " << printable(name) << "  " << std::fixed << std::setprecision(4) << *parse_number(value) << "\n";
  text << "recorded as " << id.short_hex() << ", split " << printable(evaluation.split) << ": " << verdict_mark(checked.signature).text;
  session.say(text.str());
}

int record(const Arguments& arguments, Session& session) {
  const std::vector<std::string>& rest = arguments.rest;
  if (rest.empty() || rest.front().starts_with("-")) {
    throw Error(ErrorCode::invalid_argument, "say what to measure, before the options: dstore eval REV --data TEST.tsv --record");
  }
  if (arguments.has("from") && rest.size() > 1) {
    throw Error(ErrorCode::invalid_argument, printable(rest[1]) + ": nothing is measured with --from; the file says what was found on which data");
  }
  Repository repository = session.open();
  const Revision revision = recorded_revision(session, repository, rest.front());
  const Committer committer = session.committer(arguments);  // before the work: a key that is missing is told now
  Evaluation evaluation;
  if (arguments.has("from")) {
    const std::string file = session.path(arguments.get("from"));
    evaluation = read_measurement(session.fs(), file, session.directory, file);
  } else if (const int status = measure(session, repository, revision, arguments, evaluation); status != 0) {
    return status;
  }
  if (arguments.has("split")) evaluation.split = arguments.get("split");
  if (!revision.computed) evaluation.commit = revision.commit;
  evaluation.commits = named_commits(revision);
  evaluation.revision = pinned(revision);
  const ObjectId id = record_evaluation(repository, std::move(evaluation), {committer.author, committer.key, now()});
  print_recorded(session, repository, rest.front(), id);
  return 0;
}

int run(const Arguments& arguments, Session& session) {
  const std::vector<std::string>& rest = arguments.rest;
  if (std::any_of(rest.begin(), rest.end(), is_help)) {
    const int status = explain_without_trainer(session, eval_command(), rest) ? 0 : run_trainer(session, trainer_words(session, "eval", rest));
    session.say(kOwnOptions);
    return status;
  }
  if (arguments.has("list")) {
    if (arguments.has("record") || arguments.has("from") || rest.size() > 1) {
      throw Error(ErrorCode::invalid_argument, "--list shows what is recorded: dstore eval --list REV, and nothing else");
    }
    return list_evaluations(session, session.open(), rest.empty() ? "" : rest.front());
  }
  if (arguments.has("record")) return record(arguments, session);
  for (const char* option : {"split", "from", "author", "no-sign"}) {
    if (arguments.has(option)) throw Error(ErrorCode::invalid_argument, std::string("--") + option + " goes with --record");
  }
  return run_trainer(session, trainer_words(session, "eval", rest));
}

}  // namespace

Command eval_command() {
  return {"eval", "Work", "Measure a revision or folder on labelled data, and record it", "dstore eval base+sst2 --data test.tsv --record\n  dstore eval --list sst2", {},
          {{"--record", nullptr, "Sign the result and store it"},
           {"--split", "NAME", "What the data is called"},
           {"--from", "FILE", "Record what another program has measured"},
           {"--list", nullptr, "Show what is recorded"},
           {"--author", "WHO", "Evaluator"},
           {"--no-sign", nullptr, "Record it unsigned"}},
          run, true};
}

}  // namespace dstore::cli
