#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sign/principal.h"
#include "sign/ssh_key.h"

namespace dstore {

/// One line of an allowed_signers file (ssh-keygen(1), ALLOWED SIGNERS) with an Ed25519 key.
struct AllowedSigner {
  std::string principals;                   ///< "a@b,c@d"; not empty
  std::optional<std::string> namespaces;    ///< pattern list; absent: any namespace
  std::optional<std::int64_t> valid_after;  ///< seconds since 1970, as is valid_before
  std::optional<std::int64_t> valid_before;
  PublicKey key;

  std::string first_principal() const { return principals.substr(0, principals.find(',')); }
  bool allows_namespace(std::string_view name_space) const;
  bool allows_time(std::int64_t time) const;
};

struct AllowedSigners {
  std::vector<AllowedSigner> signers;  ///< in file order
  std::vector<std::string> notices;    ///< one line for each certificate authority that was skipped
};

/// Lines with other key types are skipped. Error{corrupt} "FILE:LINE: ..." for a line that is neither that nor correct.
AllowedSigners parse_allowed_signers(std::string_view text, std::string_view file);

/// A file of public key lines (revoked_keys); other key types are skipped. Error{corrupt} as above; Error{unsupported} for
/// the binary key revocation list of ssh-keygen -k.
std::vector<PublicKey> parse_key_list(std::string_view text, std::string_view file);

/// "principal ssh-ed25519 AAAA..." and a newline. Error{invalid_argument} unless is_plain_principal(principal).
std::string allowed_signers_line(std::string_view principal, const PublicKey& key);

}  // namespace dstore
