#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "repo/repository.h"
#include "repo/temporary_folder.h"
#include "repo/write_delta.h"

namespace dstore {

/// What create_bundle() is asked for: a task under the name that it will have there.
struct BundledTask {
  std::string name;  ///< a ref name
  ObjectId commit;
};

/// Writes tasks, their signatures and what their bases look like (no weights of a base, no history) into one file, from which
/// `dstore apply` works without a repository (spec/bundle.md). Returns its size. Error{conflict} if the file exists and
/// not `replace`; {invalid_argument} for a commit that is no task.
std::uint64_t create_bundle(const Repository& repository, const std::vector<BundledTask>& tasks, const std::string& file, bool replace, const Progress& progress);

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
