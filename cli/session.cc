#include "session.h"

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>

#include "command.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/base_folder.h"

namespace dstore::cli {

std::int64_t now() {
  // For reproducible commits, as other archivers and version control systems do.
  if (const char* fixed = std::getenv("SOURCE_DATE_EPOCH")) {
    const std::string_view text(fixed);
    std::int64_t seconds = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && seconds >= 0) return seconds;
    throw Error(ErrorCode::invalid_argument, "SOURCE_DATE_EPOCH: expected seconds since 1970, not \"" + printable(text) + "\"");
  }
  return static_cast<std::int64_t>(std::time(nullptr));
}

std::unique_ptr<CheckpointFolder> base_from(const Arguments& arguments, const Session& session, Repository& repository, const ObjectId& commit) {
  if (!arguments.has("base-from")) return nullptr;
  auto folder = std::make_unique<CheckpointFolder>(session.fs(), session.path(arguments.get("base-from")));
  attach_base(repository, *folder, repository.require_commit(commit).commit);
  return folder;
}

void print_json(const std::string& text) { std::cout << text << "\n"; }

std::string Session::path(const std::string& typed) const {
  if (directory == "." || typed.empty() || typed.front() == '/') return typed;
  return join_path(directory, typed);
}

Committer Session::committer(const Arguments& arguments) {
  Committer committer;
  const char* environment = std::getenv("DSTORE_AUTHOR");
  committer.author = arguments.get("author", environment != nullptr ? environment : default_identity());
  committer.time = now();
  if (!arguments.has("no-sign")) {
    key_ = load_private_key(fs(), SigningConfig::from_environment());
    committer.key = &*key_;
  }
  return committer;
}

void Session::say(const std::string& line) const {
  if (!quiet && !json) std::cout << line << "\n";
}

void Session::note(const std::string& line) const {
  if (!quiet) std::cerr << line << "\n";
}

void Session::report(const Error& error) const {
  std::cerr << "dstore: " << error.what() << "\n";
  if (!reported_) reported_ = error;
}

std::string Session::paint(const char* code, const std::string& text) const {
  return color ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
}

Progress Session::progress(const std::string& label) const {
  if (quiet || ::isatty(STDERR_FILENO) == 0) return {};
  using Clock = std::chrono::steady_clock;
  struct State {
    Clock::time_point start = Clock::now();
    Clock::time_point drawn;
    bool visible = false;
    ~State() {
      if (visible) std::fputs("\r\x1b[K", stderr);
    }
  };
  return [label, state = std::make_shared<State>()](std::uint64_t done, std::uint64_t total) {
    const Clock::time_point time = Clock::now();
    if (time - state->drawn < std::chrono::milliseconds(100)) return;
    state->drawn = time;
    const double seconds = std::chrono::duration<double>(time - state->start).count();
    std::string line = label + " " + human_size(done);
    if (total > 0) {
      line += " of " + human_size(total);
      if (done > 0 && seconds > 1) line += ", " + human_size(static_cast<std::uint64_t>(static_cast<double>(done) / seconds)) + "/s, " +
                                           std::to_string(static_cast<long>(seconds * static_cast<double>(total - std::min(done, total)) / static_cast<double>(done))) + " s left";
    }
    std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
    std::fflush(stderr);
    state->visible = true;
  };
}

}  // namespace dstore::cli
