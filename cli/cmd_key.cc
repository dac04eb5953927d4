#include "command.h"
#include "dstore/error.h"
#include "output.h"
#include "sign/principal.h"

namespace dstore::cli {
namespace {

int make_key(const Session& session) {
  const SigningConfig config = SigningConfig::from_environment();
  const PublicKey key = create_key(session.fs(), config);
  session.say("Made a signing key: " + key.fingerprint() + "\n  kept in " + config.key_path);
  return 0;
}

int list_keys(const Session& session) {
  const SigningConfig config = SigningConfig::from_environment();
  const auto own = find_private_key(session.fs(), config);
  const TrustStore trust = TrustStore::load(session.fs(), config);
  Json::Array rows;
  Table table({"", "", ""});
  for (const KeyListing& listing : trust.list(own ? std::optional(own->public_key()) : std::nullopt)) {
    Json row;
    row.set("principal", listing.principals);
    row.set("fingerprint", listing.key.fingerprint());
    row.set("own", listing.own ? 1 : 0);
    row.set("revoked", listing.revoked ? 1 : 0);
    rows.push_back(std::move(row));
    table.add({listing.key.fingerprint(), printable(listing.principals), listing.revoked ? "revoked" : listing.own ? "your own" : "trusted"});
  }
  if (session.json) {
    print_json(Json(std::move(rows)).serialize());
    return 0;
  }
  std::string text = table.text();
  if (!text.empty()) text.pop_back();
  session.say(text.empty() ? "no keys yet; `dstore key new` makes one" : text);
  return 0;
}

/// A .pub file, or its line.
PublicKeyLine read_public_key(const Session& session, const std::string& given) {
  if (given.starts_with("ssh-")) return PublicKeyLine::parse(given, "the key given");
  return PublicKeyLine::parse(read_text_file(session.fs(), session.path(given), OpenMode::read, 64u << 10), given);
}

int trust_key(const Arguments& arguments, const Session& session) {
  const std::string given = arguments.get("key");
  if (given.empty()) throw Error(ErrorCode::invalid_argument, "dstore key trust FILE.pub [--as NAME]: give a public key file or line");
  const PublicKeyLine line = read_public_key(session, given);
  const std::string principal = arguments.get("as", principal_from_author(line.comment.empty() ? "unnamed" : line.comment));
  TrustStore trust = TrustStore::load(session.fs(), SigningConfig::from_environment());
  trust.add(principal, line.key);
  session.say("trusted: " + line.key.fingerprint() + " as " + printable(principal));
  return 0;
}

int run(const Arguments& arguments, Session& session) {
  const std::string action = arguments.get("action", "list");
  if (action == "new") return make_key(session);
  if (action == "list") return list_keys(session);
  if (action == "trust") return trust_key(arguments, session);
  throw Error(ErrorCode::invalid_argument, "dstore key " + printable(action) + ": expected new, list or trust");
}

}  // namespace

Command key_command() {
  return {"key", "Share", "Make a signing key, list keys, trust somebody's key", "dstore key trust alice.pub --as alice@example.org",
          {{"action", "new, list (default) or trust", PositionalSpec::optional},
           {"key", "trust: a .pub file, or its line in quotes", PositionalSpec::optional}},
          {{"--as", "NAME", "trust: who it is (default: the key's comment)"}}, run};
}

}  // namespace dstore::cli
