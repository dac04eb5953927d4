#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sign/allowed_signers.h"
#include "sign/signing_config.h"
#include "sign/sshsig.h"

namespace dstore {

/// What is known about a signature. In order from best to worst.
enum class Verdict {
  good,           ///< made by a key in allowed_signers for this namespace and time
  untrusted_key,  ///< correct, by a key that is not (or not for this, or not now) in allowed_signers
  revoked,        ///< correct, by a key in revoked_keys
  bad,            ///< not a signature of these bytes
  unsigned_,      ///< there is none
};

/// "good", "untrusted key", "revoked key", "bad", "unsigned".
std::string_view verdict_name(Verdict verdict);

struct Verification {
  Verdict verdict = Verdict::unsigned_;
  std::optional<PublicKey> key;  ///< set for good, untrusted_key and revoked
  std::string principal;         ///< set for good
  std::string reason;            ///< one line for a person: "good signature by a@b (SHA256:...)", or what is wrong and what to do

  /// Error{untrusted}: "WHAT: REASON" unless the verdict is good.
  void require_good(std::string_view what) const;
};

/// A row of `dstore key list`.
struct KeyListing {
  std::string principals;
  PublicKey key;
  bool own = false;      ///< the user's private key belongs to it
  bool revoked = false;
};

/// The keys a user trusts: allowed_signers and revoked_keys of the configuration folder, as they were when loaded.
/// Reading is thread-safe.
class TrustStore {
 public:
  /// Missing files are empty. Error{corrupt} naming file and line; Error{invalid_argument} if others may write them.
  static TrustStore load(Filesystem& fs, const SigningConfig& config);

  /// The first principal of the key in allowed_signers, whatever namespace and time it is limited to.
  std::optional<std::string> find(const PublicKey& key) const;
  bool is_revoked(const PublicKey& key) const;

  /// Judges one signature of `message`. Never throws for what is in `blob`. `time` (seconds since 1970, default now) is
  /// when it was first seen here: the signed date is its signer's word and cannot prove that a key was still valid.
  Verification check(ByteSpan blob, std::string_view name_space, ByteSpan message,
                     std::optional<std::int64_t> time = std::nullopt) const;
  /// The best of several signatures of the same message; `unsigned_` if there are none.
  Verification check(const std::vector<Bytes>& blobs, std::string_view name_space, ByteSpan message,
                     std::optional<std::int64_t> time = std::nullopt) const;

  /// Appends to allowed_signers, on disk and here. Nothing to do if the key is there under that principal;
  /// Error{conflict} if it is there under another one, Error{untrusted} if it is revoked.
  void add(const std::string& principal, const PublicKey& key);
  /// `clone --trust SHA256:...`: if some of `blobs` is a correct signature of `message` by the key with that fingerprint,
  /// adds the key (unless it is trusted already) and returns it; nullopt if none is. Error{invalid_argument} if `pin` is
  /// not a fingerprint, Error{untrusted} if the key is revoked or its line does not allow this. `principal` is a label
  /// that the signer chose (principal_from_author()); what is trusted is the key.
  std::optional<PublicKey> trust_pinned(std::string_view pin, const std::vector<Bytes>& blobs, std::string_view name_space,
                                        ByteSpan message, const std::string& principal);

  /// allowed_signers in file order, then own and revoked keys that are not in it.
  std::vector<KeyListing> list(const std::optional<PublicKey>& own) const;
  /// Digest of everything check() depends on at `time` (default now) besides the signature: keys, principals, revocations,
  /// the files' paths (messages name them) and which lines are in force.
  ObjectId digest(std::optional<std::int64_t> time = std::nullopt) const;
  /// Lines that were skipped although they look meant for us (certificate authorities), one line each.
  const std::vector<std::string>& notices() const { return notices_; }

 private:
  TrustStore(Filesystem& fs, SigningConfig config) : fs_(&fs), config_(std::move(config)) {}
  void reload();

  Filesystem* fs_;
  SigningConfig config_;
  std::vector<AllowedSigner> signers_;
  std::vector<PublicKey> revoked_;
  std::vector<std::string> notices_;
};

}  // namespace dstore
