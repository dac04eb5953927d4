#pragma once

#include "sign/signing_config.h"

namespace dstore {

/// The lock under which the files of a configuration folder are changed; makes the folder (0700) if it is missing.
/// Waits a few seconds for others, then Error{conflict}. Released on destruction, and by the kernel if the process dies.
class ConfigLock {
 public:
  ConfigLock(Filesystem& fs, const SigningConfig& config);

 private:
  std::unique_ptr<File> file_;
};

/// Whole text of allowed_signers or revoked_keys, empty if missing. Error{invalid_argument} if others may write it.
std::string read_trust_file(Filesystem& fs, const std::string& path);

/// Adds a line for the key to allowed_signers unless it is there under that principal; Error{conflict} if it is there
/// under another. The file is replaced as a whole. The caller holds the lock.
void append_allowed_signer(Filesystem& fs, const SigningConfig& config, const ConfigLock& lock, const std::string& principal,
                           const PublicKey& key);

}  // namespace dstore
