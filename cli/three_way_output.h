#pragma once

#include "command.h"
#include "repo/three_way.h"

namespace dstore::cli {

/// The words of a command for the two sides.
struct ThreeWayWords {
  const char* done;    ///< "merged", "rebased"
  const char* ours;    ///< "ours"
  const char* theirs;  ///< "theirs"
  bool rebase;
};
extern const ThreeWayWords kMergeWords, kRebaseWords;

/// --vocab: whether tensors with other numbers of rows are merged in those that all have.
bool common_rows(const Arguments& arguments);
/// --on-conflict, --files, --vocab, --dry-run; `settings` is filled where --on-conflict names a merge method.
ThreeWayOptions three_way_options(const Arguments& arguments, const ThreeWayWords& words, std::optional<MergeSettings>& settings);
/// The rows of --help for these.
std::vector<OptionSpec> three_way_option_specs(const ThreeWayWords& words);

/// Prints the outcome; the exit status. With --json {outcome: "up to date"|"fast-forward"|"conflicts"|"merged"|"rebased", dry_run, commit, branch, base, ours,
/// theirs, ancestor, ancestors, elements, changed_ours, changed_theirs, same, conflict, opposed, energy_in_conflict, cosine, overlap, unresolved, shared,
/// ulps[{least, count}], not_finite, tensors[{name, elements, changed_ours, changed_theirs, same, conflict, opposed, energy_in_conflict}], whole[{name, what}],
/// files[{path, what}], tokenizers, changed, full_bytes, stored_bytes}. What was not written is null;
/// `shared`, as of `merge EXPRESSION --name`, where no sum is computed.
int print_three_way(const Session& session, const ThreeWayOutcome& outcome, const ThreeWayWords& words, const std::string& branch, const std::string& theirs, bool dry_run);

/// "1,234 of 113,566 weights changed (1.09 %), 90.9 MB → 4 kB".
std::string changed_text(const WrittenDelta& delta, std::uint64_t full_bytes, std::uint64_t stored_bytes);
/// "overlap: 1,234 of 113,566 changed weights are changed by several terms".
std::string overlap_text(const SumSource::Overlap& overlap);

}  // namespace dstore::cli
