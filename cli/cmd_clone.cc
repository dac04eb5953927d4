#include "command.h"
#include "dstore/error.h"
#include "transfer_output.h"

namespace dstore::cli {
namespace {

std::string absolute(const std::string& path) {
  if (path.starts_with("/") || path.find("://") != std::string::npos) return path;
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) throw Error(ErrorCode::remote, printable(path) + ": no such folder");
  const std::string out = resolved;
  std::free(resolved);
  return out;
}

int run(const Arguments& arguments, Session& session) {
  const std::string url = absolute(session.path(arguments.get("url")));
  const std::string dir = session.path(arguments.get("dir"));
  if (const auto info = session.fs().stat(dir, false)) {
    if (info->type != FileInfo::Type::directory || !session.fs().list(dir).empty()) {
      throw Error(ErrorCode::conflict, printable(dir) + ": exists already and is not an empty folder");
    }
  }
  open_remote(session.fs(), url, false);
  const SigningConfig config = SigningConfig::from_environment();
  if (!arguments.has("no-sign") && !find_private_key(session.fs(), config)) {
    session.say("Made a signing key: " + create_key(session.fs(), config).fingerprint());
  }
  const bool existed = exists(session.fs(), dir);
  make_directories(session.fs(), dir);
  try {
    Repository repository = Repository::create(session.fs(), join_path(dir, kStoreFolder), IndexMode::database);
    RepositoryConfig settings = repository.config();
    settings.remotes.emplace("origin", url);
    settings.without_base = arguments.has("without-base");
    repository.save_config(std::move(settings));
    if (arguments.has("trust")) trust_fingerprint(repository, "origin", arguments.get("trust"));
    TransferOptions options;
    options.allow_unsigned = arguments.has("allow-unsigned");
    options.notice = [&](const std::string& line) { session.note("note: " + line); };
    TransferReport report;
    {
      const Progress progress = session.progress("cloning");
      report = fetch(repository, "origin", options, progress);
    }
    fast_forward(repository, "origin", {}, session.committer(arguments));
    print_transfer(session, "received", "origin", report);
  } catch (...) {
    remove_tree(session.fs(), existed ? join_path(dir, kStoreFolder) : dir);
    throw;
  }
  return 0;
}

}  // namespace

Command clone_command() {
  return {"clone", "Share", "Make a repository from a remote", "dstore clone /mnt/models/store models --trust SHA256:abc...",
          {{"url", "The remote"}, {"dir", "New folder for the repository"}},
          {{"--trust", "SHA256:...", "Fingerprint of the key that signs there; it becomes trusted"},
           {"--without-base", nullptr, "Leave the weights of bases there: import them later, or give --base-from FOLDER"},
           {"--allow-unsigned", nullptr, "Take commits that nobody signed"},
           {"--no-sign", nullptr, "Do not sign the local branches"}},
          run};
}

}  // namespace dstore::cli
