#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "object/commit.h"
#include "odb/object_store.h"
#include "odb/ref_log.h"
#include "repo/catalog_file.h"
#include "sign/trust.h"

namespace dstore {

inline constexpr std::string_view kStoreFolder = ".dstore";

/// The `config` file of a repository: what is neither cache nor history (spec/repository.md).
struct RepositoryConfig {
  ObjectId repository;                         ///< 32 random bytes, part of every signed ref entry
  std::map<std::string, std::string> remotes;  ///< name → URL
  bool without_base = false;                   ///< chunks of bases are neither fetched nor missed

  std::string serialize() const;
  static RepositoryConfig parse(std::string_view text, std::string_view what);
};

/// A commit as it stands in a store, with what its signatures are worth to this user.
struct CheckedCommit {
  ObjectId id;
  Commit commit;
  Verification signature;
};

/// A store, its refs and its configuration: a `.dstore` folder, or (bare) a directory remote. Movable. Reading is
/// thread-safe; several processes may use one repository at once.
class Repository {
 public:
  /// Makes `dir` (a `.dstore` folder or a remote's folder). Error{conflict} if there is a repository already.
  static Repository create(Filesystem& fs, const std::string& dir, IndexMode mode);
  /// `dir` itself. Error{not_found}.
  static Repository open(Filesystem& fs, const std::string& dir, IndexMode mode);
  /// The `.dstore` at `start` or in the nearest folder above it.
  static Repository discover(Filesystem& fs, const std::string& start);
  /// Whether `dir` holds a repository.
  static bool is_repository(Filesystem& fs, const std::string& dir);

  Filesystem& fs() const { return *fs_; }
  const std::string& directory() const { return dir_; }
  std::string path(std::string_view name) const { return join_path(dir_, name); }
  const RepositoryConfig& config() const { return config_; }
  void save_config(RepositoryConfig config);

  ObjectStore& store() { return store_; }
  const ObjectStore& store() const { return store_; }
  RefLog refs() const { return RefLog(*fs_, path("refs"), config_.repository, ref_hints("refs")); }
  /// The mirror of a remote's refs, as last fetched or pushed.
  RefLog remote_refs(const std::string& remote) const {
    return RefLog(*fs_, path("remotes/" + remote), std::nullopt, ref_hints("remotes/" + remote));
  }
  /// catalog.db, opened when it is first asked for; null for a directory remote, which gets no caches from its readers.
  CatalogFile* catalog() const;

  /// The mirrors of all remotes, also of those that the configuration no longer has.
  std::vector<RefLog> mirrors() const;

  const TrustStore& trust() const { return trust_; }
  TrustStore& trust() { return trust_; }

  Commit read_commit(const ObjectId& id) const;
  std::vector<Bytes> signature_blobs(const ObjectId& target) const;
  /// Reads and judges. Does not throw for a bad signature: the caller decides what an untrusted commit may do.
  CheckedCommit check_commit(const ObjectId& id) const;
  /// check_commit(), and Error{untrusted} unless the commit is well signed or unsigned: fetch
  /// takes unsigned ones only where the user said so. Error{not_found} if it is forgotten: its content is gone or will be.
  CheckedCommit require_commit(const ObjectId& id) const;
  /// The content of a side file or header, whole or chunk by chunk.
  Bytes read_file_object(const ObjectId& id) const;
  void read_file_object(const ObjectId& id, const std::function<void(ByteSpan)>& visit) const;
  std::uint64_t file_object_size(const ObjectId& id) const;

 private:
  Repository(Filesystem& fs, std::string dir, RepositoryConfig config, ObjectStore store, IndexMode mode);
  void explain_missing_chunks();
  RefHints* ref_hints(const std::string& log) const;

  Filesystem* fs_;
  std::string dir_;
  RepositoryConfig config_;
  ObjectStore store_;
  TrustStore trust_;
  struct Caches;
  std::shared_ptr<Caches> caches_;  ///< null for a directory remote
};

}  // namespace dstore
