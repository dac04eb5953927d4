#pragma once

#include <cstdint>
#include <map>
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
  ObjectId commit{};  ///< none until it is looked up
  std::string text() const;
  friend bool operator==(const RevisionAtom&, const RevisionAtom&) = default;
};

struct RevisionExpression;

/// `merge(ties,density=0.2: a, b)`, `rebase(add: task, newbase)`.
struct RevisionCall {
  std::string function;
  std::string method;  ///< before the ':', or empty
  std::map<std::string, std::vector<std::string>, std::less<>> parameters;
  std::vector<RevisionExpression> arguments;
  friend bool operator==(const RevisionCall& a, const RevisionCall& b);
};

/// `base + 0.7*task - other`: the first term is the base, or the only one.
struct RevisionExpression {
  struct Term {
    bool negative = false;
    std::optional<std::string> weight;  ///< as typed: "0.7", "-1"
    RevisionAtom atom;                  ///< without a word for a call
    std::vector<RevisionCall> call{};   ///< one, or none
    double factor() const;              ///< the weight with its sign; 1 without one
    std::string text() const;           ///< without sign and weight
    friend bool operator==(const Term&, const Term&) = default;
  };
  std::vector<Term> terms;
  std::string text() const;
  /// With the ids of the commits where they were looked up: what it means today, for ever. parse_revision() reads it.
  std::string pinned() const;
  friend bool operator==(const RevisionExpression&, const RevisionExpression&) = default;
};

/// The one parser of what users type. Error{invalid_argument} with the place.
RevisionExpression parse_revision(std::string_view text);

/// A revision that was looked up: one commit, a base with one task put on it, or what is computed from several commits.
/// open_revision() (repo/open_revision.h) gives its model.
struct Revision {
  std::string text;
  ObjectId commit;                ///< the only commit, or the task; none where it is computed
  std::optional<ObjectId> base;   ///< base+task: the base's commit
  std::optional<RefName> branch;  ///< set where the only (or the task's) word is a local branch without steps
  std::optional<RevisionExpression> computed;
};

/// Error{not_found} with the nearest names, {invalid_argument} for an ambiguous word (lists the readings).
Revision resolve_revision(const Repository& repository, std::string_view text);

/// With the ids of its commits: what it means today, for ever.
std::string pinned(const Revision& revision);
/// All that it names, sorted, each once.
std::vector<ObjectId> named_commits(const Revision& revision);

/// A commit that is the base of the revision's model, or a task of that base.
ObjectId commit_on_base(const Revision& revision);

/// One commit only: for history, parents, tags. Error{invalid_argument} for a sum or a call.
ObjectId resolve_commit(const Repository& repository, std::string_view text);

}  // namespace dstore
