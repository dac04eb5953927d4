#pragma once

#include <functional>
#include <vector>

#include "repo/repository.h"

namespace dstore {

/// A commit and its first parents, newest first.
std::vector<ObjectId> first_parents(const Repository& repository, ObjectId commit);

/// What a walk through history needs of a commit.
struct CommitLink {
  std::int64_t time = 0;
  std::vector<ObjectId> parents;
};

/// Every commit reachable through parents from `heads`, each once, children before their parents and newer before
/// older where that leaves a choice. `read` is called once for each.
std::vector<ObjectId> history(const std::function<CommitLink(const ObjectId&)>& read, const std::vector<ObjectId>& heads);
std::vector<ObjectId> history(const Repository& repository, const std::vector<ObjectId>& heads);

/// Whether `ancestor` is `commit` or reachable from it through parents.
bool is_ancestor(const std::function<Commit(const ObjectId&)>& read, const ObjectId& ancestor, const ObjectId& commit);

}  // namespace dstore
