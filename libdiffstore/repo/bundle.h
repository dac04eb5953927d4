#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "repo/merge_sources.h"
#include "repo/publish.h"
#include "repo/temporary_folder.h"
#include "repo/write_delta.h"

namespace dstore {

/// A task of a bundle.
struct BundledTask {
  std::string name;  ///< a ref name
  ObjectId commit;
};

/// What create_bundle() is asked for.
struct BundleEntry {
  std::string name;  ///< empty: the commit's short id
  MergeSource source;
};

struct BundleReport {
  std::uint64_t size = 0;
  std::vector<BundledTask> tasks;
};

/// Writes tasks, their signatures and what their bases look like (no weights of a base, no history) into one file, from which
/// `dstore apply` works without a repository (spec/bundle.md). What is computed is there as the committer's commit of it, which the repository does not get.
/// Error{conflict} if the file exists and not `replace`; {invalid_argument} for a commit that is no task.
BundleReport create_bundle(const Repository& repository, const std::vector<BundleEntry>& entries, const std::string& file, bool replace, const Committer& committer,
                           const Progress& progress);

/// A bundle, opened: a repository without base in a temporary folder, which goes with this object.
class Bundle {
 public:
  /// Whether the file says that it is one.
  static bool is_bundle(Filesystem& fs, const std::string& file);
  /// `beside` names a file or folder next to which a temporary folder may be made. Error{corrupt} for any byte that is not as it
  /// was written.
  Bundle(Filesystem& fs, const std::string& file, const std::string& beside);

  Repository& repository() { return *repository_; }
  const std::map<std::string, ObjectId>& tasks() const { return tasks_; }
  /// The commit of the task called `name`, or of the only one where that is empty; it and its base are well signed by keys that this user
  /// trusts, else Error{untrusted}. `allow_unsigned`: missing signatures pass.
  BundledTask choose(const std::string& name, bool allow_unsigned) const;

 private:
  std::string file_;
  std::optional<TemporaryFolder> folder_;
  std::optional<Repository> repository_;
  std::map<std::string, ObjectId> tasks_;
};

}  // namespace dstore
