#pragma once

#include <string>
#include <vector>

#include "repo/change_folder.h"
#include "repo/checkout.h"
#include "repo/revision.h"

namespace dstore {

struct ApplyReport {
  std::vector<CheckedCommit> commits;  ///< whose signatures were checked, the task (or only) commit first
  ObjectId weights;                    ///< of the result
  std::string before;                  ///< the revision that the folder was
  std::string after;
  ChangeReport change;
};

/// Puts a task on a folder that holds its base, in place (change_folder). A folder that is no checkout is read whole and
/// compared with the base's ids first; it becomes one. Error{conflict} where it holds something else, or a file of it has
/// a second name (a link, or one that the store reads its base from), and nothing is written.
ApplyReport apply_task(Repository& repository, const Revision& task, const std::string& folder, const ChangeOptions& options, const Progress& progress);

/// The same into a folder `out` that must not exist; `folder` is only read.
CheckoutReport apply_to_new(Repository& repository, const Revision& task, const std::string& folder, const std::string& out, const CheckoutOptions& options,
                            const Progress& progress);

/// Makes another revision of a checked-out folder, in place.
ApplyReport switch_folder(Repository& repository, const Revision& revision, const std::string& folder, bool single_file, const ChangeOptions& options,
                          const Progress& progress);

}  // namespace dstore
