#include "repo/common_ancestor.h"

#include <algorithm>
#include <set>

#include "repo/history.h"

namespace dstore {

std::vector<ObjectId> common_ancestors(const Repository& repository, const ObjectId& a, const std::vector<ObjectId>& b) {
  const std::vector<ObjectId> of_a = history(repository, {a}), of_b = history(repository, b);
  const std::set<ObjectId> in_b(of_b.begin(), of_b.end());
  std::set<ObjectId> older;  // than another common one
  std::vector<ObjectId> out;
  for (const ObjectId& id : of_a) {  // children before their parents
    if (in_b.count(id) == 0) continue;
    if (older.count(id) == 0) out.push_back(id);
    const Commit commit = repository.read_commit(id);
    older.insert(commit.parents.begin(), commit.parents.end());
  }
  return out;
}

}  // namespace dstore
