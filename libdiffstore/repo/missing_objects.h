#pragma once

#include <string>
#include <vector>

#include "repo/repository.h"

namespace dstore {

/// What commits and all that they build on need, compared with what the store has. What a forgotten commit needed is not missed. Looks at tables, not at chunks' bytes.
struct MissingObjects {
  struct Gap {
    ObjectId commit;  ///< the first one that needs it
    ObjectKind kind = ObjectKind::chunk;
    ObjectId id;
  };
  std::vector<Gap> gaps;                ///< each object once
  std::vector<std::string> damaged;     ///< tables that are there and cannot be used, one line each
  std::vector<ObjectId> absent_bases;   ///< weights whose chunks a repository without base does not have: no gap
  std::vector<ObjectId> commits;        ///< all that were reached, can be read and are not forgotten
};

MissingObjects find_missing_objects(const Repository& repository, const std::vector<ObjectId>& commits);

/// The gaps as lines, one a commit.
std::vector<std::string> gap_lines(const MissingObjects& missing);
/// Whether all is there and can be used.
bool is_complete(const Repository& repository, const std::vector<ObjectId>& commits);

}  // namespace dstore
