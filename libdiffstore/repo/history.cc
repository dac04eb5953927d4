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

std::vector<ObjectId> history(const std::function<CommitLink(const ObjectId&)>& read, const std::vector<ObjectId>& heads) {
  struct Node {
    ObjectId id;
    std::int64_t time = 0;
    std::vector<std::size_t> parents;
    std::size_t children = 0;
  };
  std::vector<Node> nodes;
  std::unordered_map<ObjectId, std::size_t> places;
  const auto place_of = [&](const ObjectId& id) {
    const auto [found, fresh] = places.try_emplace(id, nodes.size());
    if (fresh) nodes.push_back({id, 0, {}, 0});
    return found->second;
  };
  for (const ObjectId& id : heads) place_of(id);
  for (std::size_t i = 0; i < nodes.size(); ++i) {  // grows meanwhile
    const CommitLink link = read(nodes[i].id);
    nodes[i].time = link.time;
    for (const ObjectId& parent : link.parents) {
      const std::size_t place = place_of(parent);
      nodes[i].parents.push_back(place);
      ++nodes[place].children;
    }
  }
  const auto older = [&](std::size_t a, std::size_t b) {
    return nodes[a].time != nodes[b].time ? nodes[a].time < nodes[b].time : nodes[a].id < nodes[b].id;
  };
  std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(older)> ready(older);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].children == 0) ready.push(i);
  }
  std::vector<ObjectId> out;
  out.reserve(nodes.size());
  while (!ready.empty()) {
    const std::size_t i = ready.top();
    ready.pop();
    out.push_back(nodes[i].id);
    for (const std::size_t parent : nodes[i].parents) {
      if (--nodes[parent].children == 0) ready.push(parent);
    }
  }
  return out;
}

std::vector<ObjectId> history(const Repository& repository, const std::vector<ObjectId>& heads) {
  const auto read = [&](const ObjectId& id) {
    Commit commit = repository.read_commit(id);
    return CommitLink{commit.time, std::move(commit.parents)};
  };
  return history(read, heads);
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
