#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "repo/repository.h"

namespace dstore {

/// `name`, `name~2`, `name@{3}`: a word and the steps from it (spec/revisions.md).
struct RevisionAtom {
  struct Step {
    char kind = '~';  ///< '~': the n-th first parent; '@': where the ref pointed n moves ago
    std::uint64_t count = 1;
    friend bool operator==(const Step&, const Step&) = default;
  };
  std::string word;
  std::vector<Step> steps;
  friend bool operator==(const RevisionAtom&, const RevisionAtom&) = default;
};

/// `base + 0.7*task - other`: the first term is the base, or the only one.
struct RevisionExpression {
  struct Term {
    bool negative = false;
    std::optional<std::string> weight;  ///< as typed: "0.7", "-1"
    RevisionAtom atom;
    friend bool operator==(const Term&, const Term&) = default;
  };
  std::vector<Term> terms;
  friend bool operator==(const RevisionExpression&, const RevisionExpression&) = default;
};

/// The one parser of what users type. Error{invalid_argument} with the place.
RevisionExpression parse_revision(std::string_view text);

/// A revision that was looked up: one commit, or a base with one task put on it.
struct Revision {
  std::string text;
  ObjectId commit;                ///< the only commit, or the task
  std::optional<ObjectId> base;   ///< base+task: the base's commit
  std::optional<RefName> branch;  ///< set where the only (or the task's) word is a local branch without steps
};

/// Error{not_found} with the nearest names, {invalid_argument} for an ambiguous word (lists the readings),
/// {unsupported} for sums of several tasks.
Revision resolve_revision(const Repository& repository, std::string_view text);

/// One commit only: for history, parents, tags.
ObjectId resolve_commit(const Repository& repository, std::string_view text);

}  // namespace dstore
