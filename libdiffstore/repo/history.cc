#include "repo/history.h"

#include <map>
#include <queue>
#include <set>

namespace dstore {

std::vector<ObjectId> first_parents(const Repository& repository, ObjectId commit) {
  std::vector<ObjectId> out;
  for (;;) {
    out.push_back(commit);
    const Commit content = repository.read_commit(commit);
    if (content.parents.empty()) return out;
    commit = content.parents.front();
  }
}

std::vector<ObjectId> history(const Repository& repository, const std::vector<ObjectId>& heads) {
  std::map<ObjectId, Commit> commits;
  std::map<ObjectId, std::size_t> children;
  std::vector<ObjectId> stack(heads.begin(), heads.end());
  while (!stack.empty()) {
    const ObjectId id = stack.back();
    stack.pop_back();
    if (commits.count(id) > 0) continue;
    const Commit& commit = commits.emplace(id, repository.read_commit(id)).first->second;
    for (const ObjectId& parent : commit.parents) {
      ++children[parent];
      stack.push_back(parent);
    }
  }
  const auto older = [&](const ObjectId& a, const ObjectId& b) {
    const std::int64_t ta = commits.at(a).time, tb = commits.at(b).time;
    return ta != tb ? ta < tb : a < b;
  };
  std::priority_queue<ObjectId, std::vector<ObjectId>, decltype(older)> ready(older);
  for (const auto& [id, commit] : commits) {
    if (children[id] == 0) ready.push(id);
  }
  std::vector<ObjectId> out;
  while (!ready.empty()) {
    const ObjectId id = ready.top();
    ready.pop();
    out.push_back(id);
    for (const ObjectId& parent : commits.at(id).parents) {
      if (--children[parent] == 0) ready.push(parent);
    }
  }
  return out;
}

bool is_ancestor(const std::function<Commit(const ObjectId&)>& read, const ObjectId& ancestor, const ObjectId& commit) {
  std::set<ObjectId> seen;
  std::vector<ObjectId> stack{commit};
  while (!stack.empty()) {
    const ObjectId id = stack.back();
    stack.pop_back();
    if (id == ancestor) return true;
    if (!seen.insert(id).second) continue;
    const Commit content = read(id);
    stack.insert(stack.end(), content.parents.begin(), content.parents.end());
  }
  return false;
}

}  // namespace dstore
