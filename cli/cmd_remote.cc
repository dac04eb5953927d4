#include "command.h"
#include "dstore/error.h"
#include "output.h"

namespace dstore::cli {
namespace {

/// Remotes are found again from any working folder: a relative path is kept as an absolute one.
std::string absolute_url(const Session& session, const std::string& url) {
  if (url.find("://") != std::string::npos || url.starts_with("/")) return url;
  char* here = ::realpath(session.directory.c_str(), nullptr);
  if (here == nullptr) throw Error(ErrorCode::not_found, printable(session.directory) + ": no such folder");
  const std::string path = join_path(here, url);
  std::free(here);
  return path;
}

int list(const Session& session, const Repository& repository) {
  Json json;
  for (const auto& [name, url] : repository.config().remotes) {
    json.set(name, url);
    session.say(name + "  " + printable(url));
  }
  if (session.json) print_json(json.serialize());
  return 0;
}

/// What was seen of the remote's history: another remote of this name starts afresh.
void forget_mirror(const Repository& repository, const std::string& name) {
  const std::string mirror = repository.path("remotes/" + name);
  if (!exists(repository.fs(), mirror)) return;
  const std::string aside = repository.path("tmp/remote-" + random_name());
  repository.fs().rename(mirror, aside);
  remove_tree(repository.fs(), aside);
}

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  const std::string action = arguments.get("action");
  if (action.empty() || action == "list") return list(session, repository);
  RepositoryConfig config = repository.config();
  const std::string name = arguments.get("name");
  if (!RefName::is_valid(name) || name.find('/') != std::string::npos) {
    throw Error(ErrorCode::invalid_argument, "dstore remote " + printable(action) + " NAME ...: a name of letters, digits, '.', '_' and '-'");
  }
  if (action == "add") {
    const std::string url = arguments.get("url");
    if (url.empty()) throw Error(ErrorCode::invalid_argument, "dstore remote add NAME URL: the URL is missing");
    if (!config.remotes.emplace(name, absolute_url(session, url)).second) {
      throw Error(ErrorCode::conflict, "there is a remote " + name + " already: " + printable(config.remotes[name]));
    }
  } else if (action == "set-url") {
    const std::string url = arguments.get("url");
    if (url.empty()) throw Error(ErrorCode::invalid_argument, "dstore remote set-url NAME URL: the URL is missing");
    if (config.remotes.count(name) == 0) throw Error(ErrorCode::not_found, "no remote is called " + name);
    config.remotes[name] = absolute_url(session, url);
  } else if (action == "remove") {
    if (config.remotes.erase(name) == 0) throw Error(ErrorCode::not_found, "no remote is called " + name);
    forget_mirror(repository, name);
  } else {
    throw Error(ErrorCode::invalid_argument, "dstore remote " + printable(action) + ": expected add, set-url, remove or list");
  }
  repository.save_config(std::move(config));
  return 0;
}

}  // namespace

Command remote_command() {
  return {"remote", "Share", "List, add or remove the places to share with", "dstore remote add origin /mnt/models/store",
          {{"action", "list (default), add, set-url (keeps what was seen of it) or remove", PositionalSpec::optional},
           {"name", "Its name", PositionalSpec::optional},
           {"url", "A folder: a path, or file:///path", PositionalSpec::optional}},
          {}, run};
}

}  // namespace dstore::cli
