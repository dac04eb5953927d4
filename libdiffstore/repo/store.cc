#include "dstore/store.h"

#include <ctime>

#include "repo/checkout.h"
#include "repo/commit_adapter.h"
#include "repo/history.h"
#include "repo/import.h"
#include "repo/revision.h"

namespace dstore {
namespace {

Repository open_store(const std::string& directory) { return Repository::open(posix_filesystem(), directory, IndexMode::database); }

/// The user's identity and key for one call.
struct Signer {
  std::optional<PrivateKey> key = find_private_key(posix_filesystem(), SigningConfig::from_environment());
  Committer committer() const { return {default_identity(), key ? &*key : nullptr, static_cast<std::int64_t>(std::time(nullptr))}; }
};

SignatureState state_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::good: return SignatureState::good;
    case Verdict::unsigned_: return SignatureState::unsigned_commit;
    case Verdict::bad: return SignatureState::bad;
    case Verdict::untrusted_key:
    case Verdict::revoked: break;
  }
  return SignatureState::untrusted;
}

}  // namespace

Store Store::init(const std::string& directory) {
  return Store(Repository::create(posix_filesystem(), join_path(directory, kStoreFolder), IndexMode::database).directory());
}

Store Store::open(const std::string& directory) { return Store(Repository::discover(posix_filesystem(), directory).directory()); }

ObjectId Store::resolve(const std::string& revision) const { return resolve_commit(open_store(directory_), revision); }

ObjectId Store::import_folder(const std::string& folder, const std::string& branch, const std::string& message) {
  Repository repository = open_store(directory_);
  const CheckpointFolder source(posix_filesystem(), folder);
  const Signer signer;
  return dstore::import_folder(repository, source, RefName::parse(branch), message, signer.committer(), {}).commit;
}

ObjectId Store::commit_folder(const std::string& folder, const std::string& base, const std::string& branch, const std::string& message) {
  Repository repository = open_store(directory_);
  const CheckpointFolder source(posix_filesystem(), folder);
  FolderCommit options;
  options.base = resolve_commit(repository, base);
  options.message = message;
  const Signer signer;
  const RefName name = RefName::parse(branch);
  if (is_adapter_folder(source)) return commit_adapter(repository, source, options.base, message, options.profile, name, signer.committer(), {}).commit;
  return dstore::commit_folder(repository, source, options, name, signer.committer(), {}).commit;
}

ObjectId Store::checkout(const std::string& revision, const std::string& folder, bool force) const {
  const Repository repository = open_store(directory_);
  CheckoutOptions options;
  options.force = force;
  return dstore::checkout(repository, resolve_revision(repository, revision), folder, options, {}).weights;
}

std::vector<LogEntry> Store::log(const std::string& revision) const {
  const Repository repository = open_store(directory_);
  std::vector<ObjectId> heads;
  if (revision.empty()) {
    for (const RefEntry& head : repository.refs().heads()) heads.push_back(head.new_commit);
  } else {
    heads.push_back(resolve_commit(repository, revision));
  }
  std::vector<LogEntry> out;
  for (const ObjectId& id : history(repository, heads)) {
    CheckedCommit checked = repository.check_commit(id);
    out.push_back({id, checked.commit.parents, checked.commit.is_task(), checked.commit.author, checked.commit.time, checked.commit.message,
                   checked.commit.training, state_of(checked.signature.verdict), checked.signature.principal});
  }
  return out;
}

std::map<std::string, ObjectId> Store::refs() const {
  std::map<std::string, ObjectId> out;
  for (const RefEntry& head : open_store(directory_).refs().heads()) out.emplace(head.ref.text(), head.new_commit);
  return out;
}

}  // namespace dstore
