#pragma once

#include <optional>
#include <string>

#include "base/filesystem.h"
#include "sign/ssh_key.h"

namespace dstore {

/// Where a user's own key and trust are kept: never inside a repository.
struct SigningConfig {
  std::string folder;               ///< holds id_ed25519, id_ed25519.pub, allowed_signers, revoked_keys
  std::string key_path;             ///< the private key file; unused if key_in_environment
  bool key_in_environment = false;  ///< DSTORE_KEY is the text of the key

  std::string allowed_signers_path() const { return join_path(folder, "allowed_signers"); }
  std::string revoked_keys_path() const { return join_path(folder, "revoked_keys"); }

  /// Folder: $DSTORE_CONFIG_HOME, else $XDG_CONFIG_HOME/dstore, else ~/.config/dstore. Key: $DSTORE_KEY (a path, or the
  /// key itself if it begins with "-----BEGIN"), else FOLDER/id_ed25519. Error{invalid_argument} if none of them is set.
  static SigningConfig from_environment();
};

/// "user@host" of this process, for key comments and as the principal of an own key.
std::string default_identity();

/// The user's key, or nullopt if there is none yet. Error{invalid_argument} if others may read the file, and as
/// PrivateKey::parse().
std::optional<PrivateKey> find_private_key(Filesystem& fs, const SigningConfig& config);
/// As find_private_key(), but Error{not_found} that says how to make one.
PrivateKey load_private_key(Filesystem& fs, const SigningConfig& config);

/// Makes a key (0600), its .pub file and a line for `identity` in allowed_signers; the folder (0700) if missing. Safe
/// against others who do the same at once: one wins, the rest get Error{conflict}; never overwrites a key.
PublicKey create_key(Filesystem& fs, const SigningConfig& config, const std::string& identity = default_identity());

}  // namespace dstore
