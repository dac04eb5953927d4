#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>

#include "repo/commit_facts.h"
#include "session.h"

namespace dstore::cli {

/// Names that point at commits: "base", "tag: v1", "origin/base".
using RefNames = std::map<ObjectId, std::vector<std::string>>;

/// The refs of a repository. Damaged ones are reported (Session::report) and left out.
struct RefView {
  std::vector<RefEntry> local;
  std::map<std::string, std::vector<RefEntry>> remotes;  ///< by remote, as last fetched
  RefNames names;                                        ///< of both

  /// Every commit that a local ref, or any, names.
  std::vector<ObjectId> commits(bool all) const;
  /// Name and head of every branch: "topic", "origin/topic".
  std::vector<std::pair<std::string, ObjectId>> branches() const;
};
RefView view_refs(const Session& session, const Repository& repository);
/// "a, b"; empty if nothing points there.
std::string joined_refs(const RefNames& names, const ObjectId& commit);

/// method_of(), printable.
std::string method_text(const Commit& commit);
/// What a user may mean by the name of a metric: itself, and the names that are shortened to it ("acc": accuracy).
std::vector<std::string> metric_names(const std::string& typed);
/// "✓ ada@host", "unsigned", "✗ untrusted": text and its colour.
struct VerdictMark {
  std::string text;
  const char* color;
};
VerdictMark verdict_mark(const Verification& signature);
/// Below 100 columns the words of one line are abbreviated.
inline bool is_narrow(std::size_t columns) { return columns < 100; }
/// headline_metric() as "accuracy 0.7512", narrow "acc 0.7512"; empty if there is none.
std::string metric_text(const CommitFacts& facts, bool narrow);
/// "✓ ada@host", narrow "✓ ada".
std::string signer_text(const Verification& signature, bool narrow);
/// "3 hours ago", narrow "3h".
std::string age_text(const Commit& commit, bool narrow);
/// "0.50 %", narrow "0.50%".
std::string density_text(double density, bool narrow);
/// "206x smaller", empty where it is not by 5 %.
std::string ratio_text(std::uint64_t full, std::uint64_t stored);

/// The lines of git's `log`: id, refs, author, date, signature, method, metrics, evaluations and sizes, then the message indented.
std::string commit_block(const Session& session, const RefNames& refs, const CommitFacts& facts);

/// {id, refs, parents, base, derived_from, kind: "base"|"task", author, time, message, training{}, metrics[{split, name,
/// value, n, data_sha256}], signature{verdict, principal, fingerprint}, evaluations[evaluation_json()], sizes{stored_bytes, delta_bytes, added_bytes,
/// files_bytes, checkpoint_bytes}, density}. What is absent is null (base, fingerprint, density of a base).
nlohmann::ordered_json commit_json(const RefNames& refs, const CommitFacts& facts);

/// `json` as indented text; invalid UTF-8 in it is replaced.
void print_pretty(const nlohmann::ordered_json& json);

}  // namespace dstore::cli
