#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "repo/publish.h"
#include "repo/repository.h"
#include "repo/write_delta.h"
#include "tensor/checkpoint_folder.h"

namespace dstore::cli {

class Arguments;

/// One run of the program: where it works and how it talks. Results go to stdout, progress and notices to stderr.
class Session {
 public:
  std::string directory = ".";
  bool json = false;
  bool quiet = false;
  bool color = false;  ///< stdout is a terminal that wants it

  Filesystem& fs() const { return posix_filesystem(); }
  Repository open() const { return Repository::discover(fs(), directory); }
  /// A path as the user means it: relative to -C DIR.
  std::string path(const std::string& typed) const;

  /// Who commits: --author or $DSTORE_AUTHOR or user@host, the signing key unless --no-sign. The key must outlive it.
  Committer committer(const Arguments& arguments);

  /// Lines for a person; nothing with -q or --json.
  void say(const std::string& line) const;
  /// To stderr, also with --json; nothing with -q.
  void note(const std::string& line) const;
  /// An error that did not stop the command: to stderr, and the exit status says so (run_command_line).
  void report(const Error& error) const;
  const std::optional<Error>& reported() const { return reported_; }
  /// SGR code around text where colour is on: "32" green, "31" red, "33" yellow, "1" bold, "2" dim.
  std::string paint(const char* code, const std::string& text) const;
  /// A progress bar on stderr, drawn at most ten times a second; empty where stderr is no terminal or with -q.
  Progress progress(const std::string& label) const;

 private:
  std::optional<PrivateKey> key_;
  mutable std::optional<Error> reported_;  ///< the first one
};

std::int64_t now();
/// --base-from FOLDER: the base that the commit needs is read from there. The result must live as long as it is read.
std::unique_ptr<CheckpointFolder> base_from(const Arguments& arguments, const Session& session, Repository& repository, const ObjectId& commit);
/// Prints JSON text and a newline.
void print_json(const std::string& text);

}  // namespace dstore::cli
