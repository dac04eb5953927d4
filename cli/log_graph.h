#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dstore/id.h"

namespace dstore::cli {

/// Draws history as lanes of text, as git does. Feed commits children before parents; one lane holds the line to one
/// commit that is still to come.
class LogGraph {
 public:
  struct Row {
    std::string commit;              ///< "| * ": what stands left of the commit
    std::vector<std::string> after;  ///< "|/": lines below it, where lanes meet or part
  };
  Row next(const ObjectId& commit, const std::vector<ObjectId>& parents);

 private:
  using Lane = std::optional<ObjectId>;
  std::size_t lane_of(const ObjectId& commit) const;  ///< lanes_.size() if there is none
  std::size_t free_lane(std::size_t from) const;
  void occupy(std::size_t lane, const ObjectId& commit);
  /// The lanes, and a line between `left` and `right` that ends in `slant` at the right one.
  std::string connection(std::size_t left, std::size_t right, char slant) const;
  std::string lanes_text() const;

  std::vector<Lane> lanes_;
};

}  // namespace dstore::cli
