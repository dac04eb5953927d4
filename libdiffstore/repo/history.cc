#include "repo/history.h"

#include <queue>
#include <set>
#include <unordered_map>

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

std::vector<ObjectId> history(const std::function<const Commit&(const ObjectId&)>& read, const std::vector<ObjectId>& heads) {
  struct Node {
    const Commit* commit;
    std::size_t children = 0;
  };
  std::unordered_map<ObjectId, Node> nodes;
  std::vector<ObjectId> stack(heads.begin(), heads.end());
  while (!stack.empty()) {
    const ObjectId id = stack.back();
    stack.pop_back();
    if (nodes.contains(id)) continue;
    const Commit& commit = *nodes.emplace(id, Node{&read(id)}).first->second.commit;
    stack.insert(stack.end(), commit.parents.begin(), commit.parents.end());
  }
  for (const auto& [id, node] : nodes) {
    for (const ObjectId& parent : node.commit->parents) ++nodes.at(parent).children;
  }
  using Ready = std::pair<std::int64_t, ObjectId>;  // newest first, then by id
  std::priority_queue<Ready> ready;
  for (const auto& [id, node] : nodes) {
    if (node.children == 0) ready.emplace(node.commit->time, id);
  }
  std::vector<ObjectId> out;
  out.reserve(nodes.size());
  while (!ready.empty()) {
    const ObjectId id = ready.top().second;
    ready.pop();
    out.push_back(id);
    for (const ObjectId& parent : nodes.at(id).commit->parents) {
      Node& node = nodes.at(parent);
      if (--node.children == 0) ready.emplace(node.commit->time, parent);
    }
  }
  return out;
}

std::vector<ObjectId> history(const Repository& repository, const std::vector<ObjectId>& heads) {
  std::unordered_map<ObjectId, Commit> commits;
  return history([&](const ObjectId& id) -> const Commit& { return commits.try_emplace(id, repository.read_commit(id)).first->second; }, heads);
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
