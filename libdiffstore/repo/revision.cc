#include "repo/revision.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/edit_distance.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::size_t kMinIdPrefix = 4;

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '/';
}

/// expression = term { "+" term | " - " term } ; term = [ number "*" ] atom ; atom = word { "~" [n] | "^" | "@{" n "}" }.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  RevisionExpression expression() {
    RevisionExpression out;
    skip_spaces();
    out.terms.push_back(term(false));
    while (skip_spaces(), at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '+') {
        ++at_;
        out.terms.push_back(term(false));
      } else if (c == '-' && at_ > 0 && text_[at_ - 1] == ' ' && at_ + 1 < text_.size() && text_[at_ + 1] == ' ') {
        ++at_;
        out.terms.push_back(term(true));
      } else {
        fail("expected '+', ' - ' or the end");
      }
    }
    return out;
  }

 private:
  [[noreturn]] void fail(std::string_view message) const {
    throw Error(ErrorCode::invalid_argument,
                "revision \"" + printable(text_) + "\": " + std::string(message) + " at character " + std::to_string(at_ + 1) +
                    "; examples: base, task~1, base+task (see `dstore checkout --help`)");
  }

  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  std::string_view word() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_word_char(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  RevisionExpression::Term term(bool negative) {
    skip_spaces();
    RevisionExpression::Term out;
    out.negative = negative;
    std::string_view first = word();
    const std::size_t after_word = at_;
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != '*') {
      at_ = after_word;  // a step follows its word without a space
    } else {
      double value = 0;
      const auto result = std::from_chars(first.data(), first.data() + first.size(), value);
      if (first.empty() || result.ec != std::errc() || !std::isfinite(value) || result.ptr != first.data() + first.size()) fail("expected a number before '*'");
      out.weight = std::string(first);
      ++at_;
      skip_spaces();
      first = word();
    }
    if (first.empty()) fail("expected a name");
    if (first.front() == '-') fail("a name cannot start with '-'");
    out.atom.word = std::string(first);
    while (at_ < text_.size() && (text_[at_] == '~' || text_[at_] == '^' || text_[at_] == '@')) out.atom.steps.push_back(step());
    return out;
  }

  RevisionAtom::Step step() {
    const char c = text_[at_++];
    if (c == '^') return {'~', 1};
    if (c == '~') return {'~', number(1)};
    if (at_ >= text_.size() || text_[at_] != '{') fail("expected '{' after '@'");
    ++at_;
    const std::uint64_t n = number(std::nullopt);
    if (at_ >= text_.size() || text_[at_] != '}') fail("expected '}'");
    ++at_;
    return {'@', n};
  }

  std::uint64_t number(std::optional<std::uint64_t> default_value) {
    std::uint64_t value = 0;
    const char* end = text_.data() + text_.size();
    const auto result = std::from_chars(text_.data() + at_, end, value);
    if (result.ec == std::errc::invalid_argument && default_value) return *default_value;
    if (result.ec != std::errc()) fail("expected a number");
    at_ = static_cast<std::size_t>(result.ptr - text_.data());
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

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

ObjectId resolve_atom(const Repository& repository, const RevisionAtom& atom, std::optional<RefName>* branch) {
  const Reading reading = one_reading(repository, atom.word);
  if (branch != nullptr && reading.local && reading.local->kind == RefKind::branch && atom.steps.empty()) *branch = reading.local->ref;
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

}  // namespace

RevisionExpression parse_revision(std::string_view text) { return Parser(text).expression(); }

Revision resolve_revision(const Repository& repository, std::string_view text) {
  const RevisionExpression expression = parse_revision(text);
  for (const auto& term : expression.terms) {
    if (term.negative || term.weight) {
      throw Error(ErrorCode::unsupported, "revision \"" + printable(text) + "\": weighted and negative terms are not supported yet");
    }
  }
  if (expression.terms.size() > 2) {
    throw Error(ErrorCode::unsupported, "revision \"" + printable(text) + "\": sums of several tasks are not supported yet; give base+task");
  }
  Revision revision;
  revision.text = std::string(text);
  if (expression.terms.size() == 2) revision.base = resolve_atom(repository, expression.terms.front().atom, nullptr);
  revision.commit = resolve_atom(repository, expression.terms.back().atom, &revision.branch);
  return revision;
}

ObjectId resolve_commit(const Repository& repository, std::string_view text) {
  const Revision revision = resolve_revision(repository, text);
  if (revision.base) throw Error(ErrorCode::invalid_argument, "\"" + printable(text) + "\" is a sum; this command wants one commit");
  return revision.commit;
}

}  // namespace dstore
