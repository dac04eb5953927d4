#include "sign/trust.h"

#include <algorithm>
#include <chrono>

#include "base/sha256.h"
#include "dstore/error.h"
#include "sign/trust_files.h"

namespace dstore {
namespace {

std::int64_t now() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  constexpr std::string_view kNames[] = {"good", "untrusted key", "revoked key", "bad", "unsigned"};
  return kNames[static_cast<std::size_t>(verdict)];
}

void Verification::require_good(std::string_view what) const {
  if (verdict != Verdict::good) throw Error(ErrorCode::untrusted, std::string(what) + ": " + reason);
}

TrustStore TrustStore::load(Filesystem& fs, const SigningConfig& config) {
  TrustStore store(fs, config);
  store.reload();
  return store;
}

void TrustStore::reload() {
  const std::string allowed = config_.allowed_signers_path();
  const std::string revoked = config_.revoked_keys_path();
  AllowedSigners parsed = parse_allowed_signers(read_trust_file(*fs_, allowed), allowed);
  revoked_ = parse_key_list(read_trust_file(*fs_, revoked), revoked);
  signers_ = std::move(parsed.signers);
  notices_ = std::move(parsed.notices);
}

std::optional<std::string> TrustStore::find(const PublicKey& key) const {
  auto signer = std::ranges::find(signers_, key, &AllowedSigner::key);
  if (signer == signers_.end()) return std::nullopt;
  return signer->first_principal();
}

bool TrustStore::is_revoked(const PublicKey& key) const { return std::ranges::find(revoked_, key) != revoked_.end(); }

Verification TrustStore::check(ByteSpan blob, std::string_view name_space, ByteSpan message,
                               std::optional<std::int64_t> time) const {
  Verification out;
  try {
    out.key = verify_message(blob, name_space, message);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::untrusted) throw;
    out.verdict = Verdict::bad;
    out.reason = std::string("bad signature: ") + error.what();
    return out;
  }
  const std::string fingerprint = out.key->fingerprint();
  if (is_revoked(*out.key)) {
    out.verdict = Verdict::revoked;
    out.reason = "signed by key " + fingerprint + ", which is revoked in " + config_.revoked_keys_path();
    return out;
  }
  out.verdict = Verdict::untrusted_key;
  out.reason = "signed by key " + fingerprint + ", which is not in " + config_.allowed_signers_path() +
               "; add it there if you know whose key it is";
  for (const AllowedSigner& signer : signers_) {
    if (signer.key != *out.key) continue;
    if (signer.allows_namespace(name_space) && signer.allows_time(time.value_or(now()))) {
      out.verdict = Verdict::good;
      out.principal = signer.first_principal();
      out.reason = "good signature by " + out.principal + " (" + fingerprint + ")";
      return out;
    }
    out.reason = "signed by key " + fingerprint + " of " + signer.first_principal() + ", but its line in " +
                 config_.allowed_signers_path() + " does not allow " + std::string(name_space) + " at this time";
  }
  return out;
}

Verification TrustStore::check(const std::vector<Bytes>& blobs, std::string_view name_space, ByteSpan message,
                               std::optional<std::int64_t> time) const {
  Verification best;
  best.reason = "it is not signed";
  for (const Bytes& blob : blobs) {
    Verification next = check(ByteSpan(blob), name_space, message, time);
    if (next.verdict < best.verdict) best = std::move(next);
    if (best.verdict == Verdict::good) break;
  }
  return best;
}

void TrustStore::add(const std::string& principal, const PublicKey& key) {
  ConfigLock lock(*fs_, config_);
  reload();
  if (is_revoked(key))
    throw Error(ErrorCode::untrusted, "key " + key.fingerprint() + " is revoked in " + config_.revoked_keys_path());
  append_allowed_signer(*fs_, config_, lock, principal, key);
  reload();
}

std::optional<PublicKey> TrustStore::trust_pinned(std::string_view pin, const std::vector<Bytes>& blobs,
                                                  std::string_view name_space, ByteSpan message, const std::string& principal) {
  if (!is_fingerprint(pin)) {
    throw Error(ErrorCode::invalid_argument,
                "'" + printable(pin.substr(0, 80)) + "' is not a key fingerprint; it looks like SHA256: and 43 letters and digits");
  }
  for (const Bytes& blob : blobs) {
    Verification result = check(ByteSpan(blob), name_space, message);
    if (!result.key || result.key->fingerprint() != pin) continue;
    bool listed = find(*result.key).has_value();
    if (result.verdict == Verdict::revoked || (listed && result.verdict != Verdict::good))
      throw Error(ErrorCode::untrusted, result.reason);
    if (!listed) add(principal, *result.key);
    return result.key;
  }
  return std::nullopt;
}

ObjectId TrustStore::digest(std::optional<std::int64_t> time) const {
  Writer out;
  const auto text = [&](std::string_view part) {
    out.u64(part.size());
    out.text(part);
  };
  text(config_.allowed_signers_path());
  text(config_.revoked_keys_path());
  out.u64(signers_.size());
  for (const AllowedSigner& signer : signers_) {
    text(signer.principals);
    out.u8(signer.namespaces.has_value());
    text(signer.namespaces.value_or(""));
    out.u8(signer.allows_time(time.value_or(now())));
    out.bytes(signer.key.point);
  }
  for (const PublicKey& key : revoked_) out.bytes(key.point);
  return sha256(out.data());
}

std::vector<KeyListing> TrustStore::list(const std::optional<PublicKey>& own) const {
  std::vector<KeyListing> rows;
  auto append = [&](std::string principals, const PublicKey& key) {
    rows.push_back({std::move(principals), key, own == key, is_revoked(key)});
  };
  for (const AllowedSigner& signer : signers_) append(signer.principals, signer.key);
  auto listed = [&](const PublicKey& key) { return std::ranges::find(rows, key, &KeyListing::key) != rows.end(); };
  if (own && !listed(*own)) append("", *own);
  for (const PublicKey& key : revoked_)
    if (!listed(key)) append("", key);
  return rows;
}

}  // namespace dstore
