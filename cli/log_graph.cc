#include "log_graph.h"

#include <algorithm>

namespace dstore::cli {

std::size_t LogGraph::lane_of(const ObjectId& commit) const {
  return static_cast<std::size_t>(std::find(lanes_.begin(), lanes_.end(), Lane(commit)) - lanes_.begin());
}

std::size_t LogGraph::free_lane(std::size_t from) const {
  while (from < lanes_.size() && lanes_[from]) ++from;
  return from;
}

void LogGraph::occupy(std::size_t lane, const ObjectId& commit) {
  if (lane >= lanes_.size()) lanes_.resize(lane + 1);
  lanes_[lane] = commit;
}

std::string LogGraph::lanes_text() const {
  std::string text;
  for (const Lane& lane : lanes_) text += lane ? "| " : "  ";
  return text;
}

std::string LogGraph::connection(std::size_t left, std::size_t right, char slant) const {
  std::string text = lanes_text();
  text.resize(std::max(text.size(), 2 * right + 1), ' ');
  for (std::size_t lane = left; lane + 1 < right; ++lane) text[2 * lane + 1] = slant == '/' ? '_' : '-';
  text[2 * right - 1] = slant;
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

LogGraph::Row LogGraph::next(const ObjectId& commit, const std::vector<ObjectId>& parents) {
  std::size_t lane = lane_of(commit);
  if (lane == lanes_.size()) lane = free_lane(0);
  occupy(lane, commit);
  Row row;
  row.commit = lanes_text();
  row.commit[2 * lane] = '*';
  lanes_[lane].reset();

  if (!parents.empty()) {
    const std::size_t known = lane_of(parents.front());
    if (known == lanes_.size()) {
      occupy(lane, parents.front());
    } else {  // this line and another one end in the same commit: the right one joins the left one
      const std::size_t left = std::min(lane, known), right = std::max(lane, known);
      lanes_[right].reset();
      lanes_[left] = parents.front();
      row.after.push_back(connection(left, right, '/'));
    }
  }
  for (std::size_t i = 1; i < parents.size(); ++i) {
    std::size_t target = lane_of(parents[i]);
    const bool is_new = target == lanes_.size();
    if (is_new) target = free_lane(lane + 1);
    if (target > lane) {
      if (is_new && target < lanes_.size()) lanes_[target].reset();
      row.after.push_back(connection(lane, target, '\\'));
      occupy(target, parents[i]);
    } else if (target < lane) {
      row.after.push_back(connection(target, lane, '/'));
    }
  }
  while (!lanes_.empty() && !lanes_.back()) lanes_.pop_back();
  return row;
}

}  // namespace dstore::cli
