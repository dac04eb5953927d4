#include "trainer_process.h"

#include <fcntl.h>
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

/// A pipe for the trainer's stderr; where nobody listens there is none.
class Ear {
 public:
  explicit Ear(const TrainerLine& line) : line_(line) {
    if (line_ && ::pipe2(ends_, O_CLOEXEC) != 0) throw Error(ErrorCode::io, std::string("cannot make a pipe: ") + std::strerror(errno));
  }
  ~Ear() {
    for (const int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }
  Ear(const Ear&) = delete;
  Ear& operator=(const Ear&) = delete;

  /// In the child.
  void connect() const {
    if (!line_) return;
    const int nothing = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(nothing, STDOUT_FILENO);
    ::dup2(ends_[1], STDERR_FILENO);
  }
  /// Until the child closes its end.
  void listen() {
    if (!line_) return;
    ::close(ends_[1]);
    ends_[1] = -1;
    std::string text;
    char buffer[4096];
    while (true) {
      const ssize_t n = ::read(ends_[0], buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      text.append(buffer, static_cast<std::size_t>(n));
      for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
        line_(text.substr(0, end));
        text.erase(0, end + 1);
      }
    }
    if (!text.empty()) line_(text);
  }

 private:
  const TrainerLine& line_;
  int ends_[2] = {-1, -1};
};

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

int run_trainer(const Session& session, const std::vector<std::string>& words, const TrainerLine& line) {
  set_thread_environment();
  Ear ear(line);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw Error(ErrorCode::io, std::string("cannot start ") + kTrainer + ": " + std::strerror(errno));
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ear.connect();
    if (::chdir(session.directory.c_str()) != 0) ::_exit(127);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  running_child = child;
  struct sigaction forward {};
  forward.sa_handler = forward_termination;
  sigaction(SIGTERM, &forward, nullptr);
  ear.listen();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace dstore::cli
