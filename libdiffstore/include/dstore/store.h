#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dstore/error.h"
#include "dstore/id.h"

namespace dstore {

/// How far a commit's signature can be believed, for this user's trust (allowed_signers).
enum class SignatureState { good, unsigned_commit, untrusted, bad };

/// A commit as `dstore log` shows it.
struct LogEntry {
  ObjectId id;
  std::vector<ObjectId> parents;
  bool is_task = false;
  std::string author;
  std::int64_t time = 0;  ///< seconds since 1970, UTC
  std::string message;
  std::map<std::string, std::string> training;
  SignatureState signature = SignatureState::unsigned_commit;
  std::string signer;  ///< set for good
};

/// A dstore repository for programs that embed the library: what the command line does, without its output. Commits
/// are signed with the user's key (DSTORE_KEY or the configuration folder) if there is one. Every call opens the store
/// anew, so one object may be used from several threads, and beside other processes. All calls throw dstore::Error.
/// Reading tensors of a revision: open_model() in dstore/model.h.
class Store {
 public:
  /// Makes `directory`/.dstore. Error{conflict} if there is one.
  static Store init(const std::string& directory);
  /// The repository at or above `directory`. Error{not_found}.
  static Store open(const std::string& directory);

  /// The id that a revision names: "base", "task~1", a tag, an id prefix.
  ObjectId resolve(const std::string& revision) const;
  /// A base checkpoint as a commit on `branch`.
  ObjectId import_folder(const std::string& folder, const std::string& branch, const std::string& message);
  /// A changed folder, or an adapter's, as a task: its difference from `base`.
  ObjectId commit_folder(const std::string& folder, const std::string& base, const std::string& branch, const std::string& message);
  /// Writes base, task or base+task into `folder`, verified. Returns the weights id.
  ObjectId checkout(const std::string& revision, const std::string& folder, bool force = false) const;
  /// History of one revision, or of every branch and tag (empty text), newest first.
  std::vector<LogEntry> log(const std::string& revision = "") const;
  /// Local branches and tags with the commit each names.
  std::map<std::string, ObjectId> refs() const;

  const std::string& directory() const { return directory_; }

 private:
  explicit Store(std::string directory) : directory_(std::move(directory)) {}
  std::string directory_;  ///< the .dstore folder
};

}  // namespace dstore
