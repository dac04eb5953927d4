#include "trainer_process.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "dstore/error.h"

namespace dstore::cli {
namespace {

constexpr const char* kTrainer = "dstore-train";

constexpr const char* kWhy =
    " is not installed: this dstore was built without LibTorch; `pip install torch` and build again (see README, \"Set-up\")";

/// Beside this very program.
std::string beside_this_program() {
  char buffer[4096];
  const ssize_t n = ::readlink("/proc/self/exe", buffer, sizeof buffer);
  const std::string self(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
  return join_path(parent_path(self), kTrainer);
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

}  // namespace

std::string no_trainer() { return std::string(kTrainer) + kWhy; }

bool has_trainer(const Session& session) { return exists(session.fs(), beside_this_program()); }

bool is_help(const std::string& word) { return word == "--help" || word == "-h"; }

bool explain_without_trainer(const Session& session, const Command& command, const std::vector<std::string>& rest) {
  if (std::none_of(rest.begin(), rest.end(), is_help) || has_trainer(session)) return false;
  std::cout << command.summary << "\n" << no_trainer() << "\n\nExample:\n  " << command.example << "\n";
  return true;
}

std::vector<std::string> trainer_words(const Session& session, const std::string& command, const std::vector<std::string>& rest) {
  if (!has_trainer(session)) throw Error(ErrorCode::unsupported, no_trainer());
  std::vector<std::string> words{beside_this_program(), command, "--repository", "."};
  if (session.json) words.push_back("--json");
  if (session.quiet) words.push_back("--quiet");
  words.insert(words.end(), rest.begin(), rest.end());
  return words;
}

int run_trainer(const Session& session, const std::vector<std::string>& words) {
  set_thread_environment();
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw Error(ErrorCode::io, std::string("cannot start ") + kTrainer + ": " + std::strerror(errno));
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::chdir(session.directory.c_str()) != 0) ::_exit(127);
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

}  // namespace dstore::cli
