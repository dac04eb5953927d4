#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_output.h"
#include "dstore/error.h"
#include "exit_code.h"
#include "repo/commit_task.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

constexpr const char* kTrainer = "dstore-train";

constexpr const char* kNoTrainer =
    " is not installed: this dstore was built without LibTorch; `pip install torch` and build again (see README, \"Set-up\")";

/// Beside this very program.
std::string beside_this_program() {
  char buffer[4096];
  const ssize_t n = ::readlink("/proc/self/exe", buffer, sizeof buffer);
  const std::string self(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
  return join_path(parent_path(self), kTrainer);
}

std::string trainer_path(Filesystem& fs) {
  const std::string path = beside_this_program();
  if (exists(fs, path)) return path;
  throw Error(ErrorCode::unsupported, std::string(kTrainer) + kNoTrainer);
}

/// --help where the program whose options these are is not there: what the command is for, and what to install.
bool explain_without_trainer(const Session& session, const Command& command, const std::vector<std::string>& rest) {
  const bool asked = std::any_of(rest.begin(), rest.end(), [](const std::string& word) { return word == "--help" || word == "-h"; });
  if (!asked || exists(session.fs(), beside_this_program())) return false;
  std::cout << command.summary << "\n" << kTrainer << kNoTrainer << "\n\nExample:\n  " << command.example << "\n";
  return true;
}

/// Threads that spin while they wait make a shared machine several times slower; a user's own setting stays.
void set_thread_environment() {
  ::setenv("OMP_WAIT_POLICY", "passive", 0);
  ::setenv("GOMP_SPINCOUNT", "0", 0);
}

volatile pid_t running_child = 0;

/// A supervisor's `kill` reaches only this process; Ctrl-C on a terminal reaches both.
void forward_termination(int signal) {
  if (running_child > 0) ::kill(running_child, signal);
}

/// Runs it in `directory` (-C DIR counts for its data files too). Exit status, 128 + signal if one ended it.
int run_program(const std::vector<std::string>& words, const std::string& directory) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw Error(ErrorCode::io, std::string("cannot start ") + kTrainer + ": " + std::strerror(errno));
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::chdir(directory.c_str()) != 0) ::_exit(127);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  running_child = child;
  struct sigaction forward {};
  forward.sa_handler = forward_termination;
  sigaction(SIGTERM, &forward, nullptr);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

constexpr const char* kOwnOptions =
    "\nThe result:\n"
    "  --name TASK                 what the task is called; also the branch that commit makes\n"
    "  -m,--message MSG            commit at once (else the result is staged for `dstore commit TASK -m MSG`)\n"
    "  --author WHO, --no-sign     as in `dstore commit`\n"
    "  -C DIR                      work as if started in DIR";

bool is_help(const std::string& word) { return word == "--help" || word == "-h"; }

bool asks_for_information(const std::vector<std::string>& rest) {
  for (const std::string& word : rest) {
    if (is_help(word) || word == "--list-methods" || word == "--list-models" || word == "--dry-run") return true;
  }
  return false;
}

std::vector<std::string> trainer_words(const Session& session, const std::string& command, const std::vector<std::string>& rest) {
  std::vector<std::string> words{trainer_path(session.fs()), command, "--repository", "."};
  if (session.json) words.push_back("--json");
  if (session.quiet) words.push_back("--quiet");
  words.insert(words.end(), rest.begin(), rest.end());
  return words;
}

/// The commit that the trainer really read: the branch may have moved between our look at it and the trainer's.
ObjectId trained_from(Filesystem& fs, const std::string& out, const ObjectId& resolved) {
  const auto json = nlohmann::json::parse(read_text_file(fs, join_path(out, "stage.json")), nullptr, false);
  if (!json.is_object() || !json.contains("model_commit") || !json["model_commit"].is_string()) return resolved;
  return ObjectId::parse(json["model_commit"].get<std::string>(), "stage.json");
}

int run_train(const Arguments& arguments, Session& session) {
  set_thread_environment();
  if (explain_without_trainer(session, train_command(), arguments.rest)) return 0;
  if (asks_for_information(arguments.rest)) {
    const int status = run_program(trainer_words(session, "train", arguments.rest), session.directory);
    const bool help = std::find_if(arguments.rest.begin(), arguments.rest.end(), is_help) != arguments.rest.end();
    if (help) session.say(kOwnOptions);
    return status;
  }
  if (arguments.rest.empty() || arguments.rest.front().starts_with("-")) {
    throw Error(ErrorCode::invalid_argument, "say what to train, before the options: dstore train REV --method METHOD --data TRAIN.tsv --name TASK");
  }
  if (!arguments.has("name")) throw Error(ErrorCode::invalid_argument, "give the task a name: --name TASK");
  const RefName name = RefName::parse(arguments.get("name"));
  Repository repository = session.open();
  const ObjectId base = resolve_commit(repository, arguments.rest.front());
  repository.require_commit(base);
  const Lease lease = keep_commit(repository, base);
  const bool commit_now = arguments.has("message");
  const Committer committer = commit_now ? session.committer(arguments) : Committer{};

  const std::string out = repository.path("tmp/" + lease.name() + "-train");
  session.fs().make_directory(out);
  std::vector<std::string> words = trainer_words(session, "train", arguments.rest);
  words.insert(words.begin() + 2, {"--out", out});
  const int status = run_program(words, session.directory);
  if (status != 0) {
    remove_tree(session.fs(), out);
    return status;
  }
  try {
    publish_stage(repository, out, name, trained_from(session.fs(), out, base));
  } catch (const Error& error) {
    throw Error(error.code(), std::string(error.what()) + "; the finished training is in " + out + ": move it away, the next `dstore gc` removes it");
  }
  if (!commit_now) {
    session.say("staged as " + name.text() + "; commit it with: dstore commit " + name.text() + " -m MSG");
    return 0;
  }
  const CommitReport report = commit_stage(repository, read_stage(repository, name), arguments.get("message"), committer, session.progress("comparing"));
  print_commit(session, name.text(), report);
  return 0;
}

int run_eval(const Arguments& arguments, Session& session) {
  if (explain_without_trainer(session, eval_command(), arguments.rest)) return 0;
  set_thread_environment();
  return run_program(trainer_words(session, "eval", arguments.rest), session.directory);
}

}  // namespace

Command train_command() {
  return {"train", "Work", "Train a task: full, bitfit, last-layer, head, diff-pruning", "dstore train base --method diff-pruning --density 0.5% --data train.tsv --name sst2",
          {},
          {{"--name", "TASK", "Name of the task (and of its branch)"},
           {"-m,--message", "MSG", "Commit at once"},
           {"--author", "WHO", "Author of that commit"},
           {"--no-sign", nullptr, "Make it an unsigned commit"}},
          run_train, true};
}

Command eval_command() {
  return {"eval", "Work", "Measure a revision or folder on labelled data", "dstore eval base+sst2 --data test.tsv", {}, {}, run_eval, true};
}

}  // namespace dstore::cli
