#include <unistd.h>

#include "command.h"
#include "dstore/error.h"

namespace dstore::cli {
namespace {

/// The user's key, made if there is none. `created` says which.
PublicKey ensure_key(Filesystem& fs, bool& created) {
  const SigningConfig config = SigningConfig::from_environment();
  created = false;
  if (const auto key = find_private_key(fs, config)) return key->public_key();
  created = true;
  return create_key(fs, config);
}

int run(const Arguments& arguments, Session& session) {
  const std::string dir = session.path(arguments.get("dir", "."));
  bool created = false;
  const PublicKey key = ensure_key(session.fs(), created);
  make_directories(session.fs(), dir);
  const Repository repository = Repository::create(session.fs(), join_path(dir, kStoreFolder), IndexMode::database);
  if (session.json) {
    Json json;
    json.set("repository", repository.config().repository.hex());
    json.set("directory", repository.directory());
    json.set("fingerprint", key.fingerprint());
    json.set("key_created", created ? 1 : 0);
    print_json(json.serialize());
    return 0;
  }
  session.say("Initialised an empty repository in " + printable(repository.directory()));
  session.say((created ? "Made a signing key: " : "Signing key: ") + key.fingerprint());
  if (created) session.say("  kept in " + SigningConfig::from_environment().key_path + " (readable by you only; others trust it with `dstore key trust`)");
  return 0;
}

}  // namespace

Command init_command() {
  return {"init", "Start", "Make a repository (and a signing key, if you have none)", "dstore init models",
          {{"dir", "Where .dstore is made (default: here)", PositionalSpec::optional}}, {}, run};
}

}  // namespace dstore::cli
