#include "repo/revision.h"

#include <algorithm>
#include <set>

#include "base/edit_distance.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::size_t kMinIdPrefix = 4;

struct Reading {
  ObjectId commit;
  std::string description;
  std::optional<RefEntry> local;  ///< a ref of this repository, whose history `@{n}` walks
};

/// Everything a word can mean, most natural first.
std::vector<Reading> readings(const Repository& repository, const std::string& word) {
  std::vector<Reading> out;
  if (RefName::is_valid(word)) {
    const auto head = repository.refs().head(RefName::parse(word));
    if (head && !head->is_deletion() && head->kind != RefKind::forgotten) {
      out.push_back({head->new_commit, (head->kind == RefKind::tag ? "tag " : "branch ") + word, head});
    }
  }
  const std::size_t slash = word.find('/');
  if (slash != std::string::npos && repository.config().remotes.count(word.substr(0, slash)) > 0 && RefName::is_valid(word.substr(slash + 1))) {
    const auto head = repository.remote_refs(word.substr(0, slash)).head(RefName::parse(word.substr(slash + 1)));
    if (head && !head->is_deletion() && head->kind != RefKind::forgotten) out.push_back({head->new_commit, "ref of the remote " + word.substr(0, slash), std::nullopt});
  }
  const bool hex = word.size() >= kMinIdPrefix && word.size() <= 64 && word.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (hex) {
    for (const ObjectEntry& entry : repository.store().find_prefix(word)) {
      if (entry.kind == ObjectKind::commit) out.push_back({entry.id, "commit " + entry.id.hex().substr(0, 16), std::nullopt});
    }
  }
  return out;
}

[[noreturn]] void fail_unknown(const Repository& repository, const std::string& word) {
  std::vector<std::string> names;
  for (const RefEntry& entry : repository.refs().listed_heads().heads) names.push_back(entry.ref.text());
  std::string message = "no branch, tag or commit is called \"" + printable(word) + "\"";
  if (const auto near = nearest(word, names)) {
    message += "; did you mean " + *near + "?";
  } else if (names.empty()) {
    message += "; the repository is empty: start with `dstore import FOLDER --name base`";
  } else {
    message += "; `dstore branch` and `dstore tag` list the names";
  }
  throw Error(ErrorCode::not_found, message);
}

Reading one_reading(const Repository& repository, const std::string& word) {
  std::vector<Reading> all = readings(repository, word);
  if (all.empty()) fail_unknown(repository, word);
  const bool one_commit = std::all_of(all.begin(), all.end(), [&](const Reading& r) { return r.commit == all.front().commit; });
  if (one_commit) return std::move(all.front());
  std::string message = "\"" + printable(word) + "\" is ambiguous:";
  for (const Reading& reading : all) message += " " + reading.description + " (" + reading.commit.short_hex() + "),";
  message.back() = ';';
  throw Error(ErrorCode::invalid_argument, message + " write more of the id, or rename the ref");
}

ObjectId walk_back(const Repository& repository, ObjectId commit, std::uint64_t count, const std::string& text) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const Commit content = repository.read_commit(commit);
    if (content.parents.empty()) {
      throw Error(ErrorCode::not_found, text + ": the history ends after " + std::to_string(i) + (i == 1 ? " step" : " steps"));
    }
    commit = content.parents.front();
  }
  return commit;
}

ObjectId earlier_position(const Repository& repository, const RefEntry& head, std::uint64_t moves, const std::string& text) {
  const std::vector<RefEntry> entries = repository.refs().entries(head.ref);
  if (moves >= entries.size()) {
    throw Error(ErrorCode::not_found, text + ": " + head.ref.text() + " has moved only " + std::to_string(entries.size() - 1) + " times");
  }
  const RefEntry& entry = entries[entries.size() - 1 - moves];
  if (entry.is_deletion()) throw Error(ErrorCode::not_found, text + ": the ref was deleted there");
  return entry.new_commit;
}

ObjectId resolve_atom(const Repository& repository, const RevisionAtom& atom, std::optional<RefName>& branch) {
  const Reading reading = one_reading(repository, atom.word);
  if (reading.local && reading.local->kind == RefKind::branch && atom.steps.empty()) branch = reading.local->ref;
  ObjectId commit = reading.commit;
  for (std::size_t i = 0; i < atom.steps.size(); ++i) {
    const RevisionAtom::Step& step = atom.steps[i];
    if (step.kind == '~') {
      commit = walk_back(repository, commit, step.count, atom.word);
    } else {
      if (i != 0 || !reading.local) throw Error(ErrorCode::invalid_argument, atom.word + ": @{n} goes with a branch or tag of this repository");
      commit = earlier_position(repository, *reading.local, step.count, atom.word);
    }
  }
  return commit;
}

/// Looks up every word. `branch` is what the last one names.
void resolve_words(const Repository& repository, RevisionExpression& expression, std::optional<RefName>& branch) {
  for (RevisionExpression::Term& term : expression.terms) {
    branch.reset();
    for (RevisionCall& call : term.call) {
      for (RevisionExpression& argument : call.arguments) resolve_words(repository, argument, branch);
    }
    if (term.call.empty()) term.atom.commit = resolve_atom(repository, term.atom, branch);
  }
}

void add_names(const RevisionExpression& expression, std::set<ObjectId>& names) {
  for (const RevisionExpression::Term& term : expression.terms) {
    if (term.call.empty()) names.insert(term.atom.commit);
    for (const RevisionCall& call : term.call) {
      for (const RevisionExpression& argument : call.arguments) add_names(argument, names);
    }
  }
}

/// Whether it is one commit, or base+task: then the task's bits are what was committed.
bool is_plain(const RevisionExpression& expression) {
  const auto plain = [](const RevisionExpression::Term& term) { return term.call.empty() && term.factor() == 1; };
  return expression.terms.size() <= 2 && std::all_of(expression.terms.begin(), expression.terms.end(), plain) && !expression.terms.front().weight;
}

}  // namespace

Revision resolve_revision(const Repository& repository, std::string_view text) {
  RevisionExpression expression = parse_revision(text);
  Revision revision;
  revision.text = std::string(text);
  resolve_words(repository, expression, revision.branch);
  if (is_plain(expression)) {
    if (expression.terms.size() == 2) revision.base = expression.terms.front().atom.commit;
    revision.commit = expression.terms.back().atom.commit;
    return revision;
  }
  revision.branch.reset();
  revision.computed = std::move(expression);
  return revision;
}

std::string pinned(const Revision& revision) {
  if (revision.computed) return revision.computed->pinned();
  return (revision.base ? revision.base->hex() + "+" : "") + revision.commit.hex();
}

std::vector<ObjectId> named_commits(const Revision& revision) {
  std::set<ObjectId> names;
  if (revision.computed) add_names(*revision.computed, names);
  if (revision.base) names.insert(*revision.base);
  if (!revision.computed) names.insert(revision.commit);
  return {names.begin(), names.end()};
}

ObjectId commit_on_base(const Revision& revision) {
  if (!revision.computed) return revision.commit;
  const RevisionExpression::Term* term = &revision.computed->terms.front();
  while (!term->call.empty()) {
    const RevisionCall& call = term->call.front();
    term = &call.arguments[call.function == "rebase" ? 1 : 0].terms.front();
  }
  return term->atom.commit;
}

ObjectId resolve_commit(const Repository& repository, std::string_view text) {
  const Revision revision = resolve_revision(repository, text);
  if (revision.base) {
    throw Error(ErrorCode::invalid_argument, "\"" + printable(text) + "\" is a sum; this command wants one commit: " + printable(text.substr(text.find('+') + 1)));
  }
  if (revision.computed) {
    throw Error(ErrorCode::invalid_argument, "\"" + printable(text) + "\" is computed and no commit, which this command wants; `dstore merge '" + printable(text) +
                                                 "' --name NAME` makes one of it");
  }
  return revision.commit;
}

}  // namespace dstore
