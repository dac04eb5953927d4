#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>

#include "commit_size.h"
#include "session.h"

namespace dstore::cli {

/// Names that point at commits: "base", "tag: v1", and with `remotes` "origin/base".
using RefNames = std::map<ObjectId, std::vector<std::string>>;
RefNames ref_names(const Repository& repository, bool remotes);
/// "a, b"; empty if nothing points there.
std::string joined_refs(const RefNames& names, const ObjectId& commit);

/// The metric that stands for a commit: the first one of split test, else of dev, else the first.
const Metric* headline_metric(const Commit& commit);
/// The last value of that metric on split test, else on dev, else on any.
std::optional<double> metric_value(const Commit& commit, const std::string& name);
/// "diff-pruning"; "base" for a base, "folder" for a task that was committed from a folder.
std::string method_text(const Commit& commit);
/// "✓ ada@host", "unsigned", "✗ untrusted": text and its colour.
struct VerdictMark {
  std::string text;
  const char* color;
};
VerdictMark verdict_mark(const Verification& signature);
/// Below 100 columns the words of one line are abbreviated.
inline bool is_narrow(std::size_t columns) { return columns < 100; }
/// headline_metric() as "accuracy 0.7512", narrow "acc 0.7512"; empty if there is none.
std::string metric_text(const Commit& commit, bool narrow);
/// "✓ ada@host", narrow "✓ ada".
std::string signer_text(const Verification& signature, bool narrow);
/// "3 hours ago", narrow "3h".
std::string age_text(const Commit& commit, bool narrow);
/// "0.50 %", narrow "0.50%".
std::string density_text(double density, bool narrow);
/// "206x smaller", empty where it is not by 5 %.
std::string ratio_text(std::uint64_t full, std::uint64_t stored);

/// The lines of git's `log`: id, refs, author, date, signature, method, metrics and sizes, then the message indented.
std::string commit_block(const Session& session, const Repository& repository, CommitSizer& sizer, const RefNames& refs,
                         const CheckedCommit& commit);

/// {id, refs, parents, base, derived_from, kind: "base"|"task", author, time, message, training{}, metrics[{split, name,
/// value, n, data_sha256}], signature{verdict, principal, fingerprint}, sizes{stored_bytes, delta_bytes, added_bytes,
/// files_bytes, checkpoint_bytes}, density}. What is absent is null (base, fingerprint, density of a base).
nlohmann::ordered_json commit_json(const Repository& repository, CommitSizer& sizer, const RefNames& refs, const CheckedCommit& commit);

/// `json` as indented text; invalid UTF-8 in it is replaced.
void print_pretty(const nlohmann::ordered_json& json);

}  // namespace dstore::cli
