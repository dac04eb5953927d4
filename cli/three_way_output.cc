#include "three_way_output.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commit_view.h"
#include "dstore/error.h"
#include "exit_code.h"
#include "merge_arguments.h"
#include "number_text.h"
#include "output.h"

namespace dstore::cli {

const ThreeWayWords kMergeWords{"merged", "ours", "theirs", false};
const ThreeWayWords kRebaseWords{"rebased", "the task", "the new base", true};

namespace {

using nlohmann::ordered_json;
using Kind = ThreeWayOutcome::Kind;

constexpr std::size_t kWorstTensors = 10;

std::string policy_names(const ThreeWayWords& words) {
  std::string out;
  for (const ConflictPolicy& row : conflict_policies()) out += (out.empty() ? "" : ", ") + std::string(words.rebase ? row.rebase_name : row.name);
  return out;
}

const char* outcome_name(const ThreeWayOutcome& outcome, const ThreeWayWords& words) {
  switch (outcome.kind) {
    case Kind::up_to_date: return "up to date";
    case Kind::fast_forward: return "fast-forward";
    case Kind::conflicts: return "conflicts";
    default: return words.done;
  }
}

ordered_json id_or_null(const ObjectId& id) { return id.is_none() ? ordered_json() : ordered_json(id.hex()); }

ordered_json counts_json(const ConflictCounts& counts) {
  return {{"elements", counts.elements}, {"changed_ours", counts.ours}, {"changed_theirs", counts.theirs}, {"same", counts.same},
          {"conflict", counts.conflict}, {"opposed", counts.opposed}, {"energy_in_conflict", counts.energy_in_conflict()}};
}

void print_outcome_json(const ThreeWayOutcome& outcome, const ThreeWayWords& words, const std::string& branch, bool dry_run) {
  const ConflictCounts& all = outcome.report.all;
  ordered_json out{{"outcome", outcome_name(outcome, words)}, {"dry_run", dry_run}, {"commit", id_or_null(outcome.commit)}, {"branch", branch}, {"base", id_or_null(outcome.base)},
                   {"ours", id_or_null(outcome.ours)}, {"theirs", id_or_null(outcome.theirs)}, {"ancestor", outcome.ancestor.hex()}, {"ancestors", outcome.ancestors}};
  out.update(counts_json(all));
  out["cosine"] = all.cosine();
  out["overlap"] = all.same + all.conflict;
  out["unresolved"] = outcome.report.unresolved;
  out["shared"] = outcome.overlap ? ordered_json(outcome.overlap->shared) : ordered_json();
  out["ulps"] = ordered_json::array();
  for (std::size_t i = 0; i + 1 < ConflictCounts::kDistances; ++i) {
    if (all.distances[i] > 0) out["ulps"].push_back({{"least", std::uint64_t{1} << i}, {"count", all.distances[i]}});
  }
  out["not_finite"] = all.distances.back();
  out["tensors"] = ordered_json::array();
  for (const ConflictReport::Tensor& tensor : outcome.report.tensors) {
    ordered_json row{{"name", tensor.name}};
    row.update(counts_json(tensor.counts));
    out["tensors"].push_back(std::move(row));
  }
  out["whole"] = ordered_json::array();
  for (const TensorConflict& conflict : outcome.report.whole) out["whole"].push_back({{"name", conflict.name}, {"what", conflict.what}});
  out["files"] = ordered_json::array();
  for (const FileConflict& conflict : outcome.files) out["files"].push_back({{"path", conflict.path}, {"what", conflict.what}});
  out["tokenizers"] = outcome.tokenizers;
  const bool written = outcome.kind == Kind::merged && !dry_run;
  out["changed"] = written ? ordered_json(outcome.delta.changed) : ordered_json();
  out["full_bytes"] = written ? ordered_json(outcome.full_bytes) : ordered_json();
  out["stored_bytes"] = written ? ordered_json(outcome.stored_bytes) : ordered_json();
  print_pretty(out);
}

std::string distance_line(const ConflictCounts& counts) {
  std::string out;
  for (std::size_t i = 0; i + 1 < ConflictCounts::kDistances; ++i) {
    if (counts.distances[i] == 0) continue;
    const std::uint64_t least = std::uint64_t{1} << i;
    const bool last = i + 2 == ConflictCounts::kDistances;
    out += (out.empty() ? "apart by ulps: " : ", ");
    out += (last ? "from " + grouped(least) : i == 0 ? "1" : grouped(least) + "-" + grouped(2 * least - 1)) + ": ";
    out += grouped(counts.distances[i]);
  }
  if (counts.distances.back() > 0) out += (out.empty() ? "" : ", ") + std::string("no finite floats: ") + grouped(counts.distances.back());
  return out;
}

std::string worst_table(const ConflictReport& report, const ThreeWayWords& words) {
  std::vector<const ConflictReport::Tensor*> worst;
  for (const ConflictReport::Tensor& tensor : report.tensors) {
    if (tensor.counts.conflict > 0) worst.push_back(&tensor);
  }
  std::stable_sort(worst.begin(), worst.end(), [](const auto* a, const auto* b) { return a->counts.conflict_energy > b->counts.conflict_energy; });
  if (worst.empty()) return "";
  Table table({"tensor", ">in conflict", ">opposed", words.rebase ? ">task" : ">ours", words.rebase ? ">base" : ">theirs", ">same", ">energy"});
  for (std::size_t i = 0; i < std::min(worst.size(), kWorstTensors); ++i) {
    const ConflictCounts& c = worst[i]->counts;
    table.add({printable(worst[i]->name), grouped(c.conflict), grouped(c.opposed), grouped(c.ours), grouped(c.theirs), grouped(c.same), share_text(c.energy_in_conflict())});
  }
  std::string text = table.text("  ");
  if (worst.size() > kWorstTensors) text += "  and " + grouped(worst.size() - kWorstTensors) + " more tensors\n";
  return text;
}

void print_report(const Session& session, const ThreeWayOutcome& outcome, const ThreeWayWords& words) {
  const ConflictCounts& all = outcome.report.all;
  session.say("changed by " + std::string(words.ours) + " alone " + grouped(all.ours) + ", by " + words.theirs + " alone " + grouped(all.theirs) +
              ", by both alike " + grouped(all.same) + ", in conflict " + grouped(all.conflict) + " of " + grouped(all.elements) + " weights");
  if (words.rebase) session.say("the two changes: cosine " + number_text(all.cosine()) + ", " + grouped(all.same + all.conflict) + " weights are changed by both");
  if (all.conflict > 0) {
    session.say("in conflict: " + share_text(static_cast<double>(all.opposed) / static_cast<double>(all.conflict)) + " with opposite signs, " +
                share_text(all.energy_in_conflict()) + " of the changes' energy");
    if (const std::string line = distance_line(all); !line.empty()) session.say(line);
    std::string table = worst_table(outcome.report, words);
    table.pop_back();
    session.say(table);
  }
  for (const TensorConflict& conflict : outcome.report.whole) session.say("tensor " + printable(conflict.name) + ": " + conflict.what);
  if (!outcome.tokenizers.empty()) session.say("tokenizers: " + outcome.tokenizers);
  for (const FileConflict& conflict : outcome.files) session.say("file " + printable(conflict.path) + ": " + conflict.what);
}

std::string advice(const ThreeWayOutcome& outcome, const ThreeWayWords& words) {
  std::string out;
  if (outcome.report.unresolved > 0) out = "--on-conflict " + std::string(words.rebase ? "keep-task|keep-base|add" : "ours|theirs|base|add|METHOD");
  if (!outcome.files_resolved) out += (out.empty() ? "" : ", ") + std::string("--files ours|theirs");
  const auto& whole = outcome.report.whole;
  if (std::any_of(whole.begin(), whole.end(), [](const TensorConflict& conflict) { return conflict.rows; })) out += ", --vocab base-rows for other numbers of rows";
  return out;
}

}  // namespace

std::vector<OptionSpec> three_way_option_specs(const ThreeWayWords& words) {
  std::vector<OptionSpec> out;
  if (words.rebase) {
    out.push_back({"--on-conflict", "HOW", "What becomes of weights that the task and the base changed: fail (default), keep-task, keep-base, add"});
    out.push_back({"--files", "task|base", "Whose side file is taken where both changed it (default: task)"});
  } else {
    out.push_back({"--on-conflict", "HOW", "With --into: weights that both changed differently: fail (default), ours, theirs, base, add, or a method"});
    out.push_back({"--files", "ours|theirs", "With --into: whose side file is taken where both changed it"});
  }
  out.push_back({"--vocab", "base-rows", "Tensors with other numbers of rows: merge the rows that all have"});
  out.push_back({"--dry-run", nullptr, "Report, and write nothing"});
  return out;
}

bool common_rows(const Arguments& arguments) {
  if (!arguments.has("vocab")) return false;
  if (arguments.get("vocab") != "base-rows") throw Error(ErrorCode::invalid_argument, "--vocab " + printable(arguments.get("vocab")) + ": expected base-rows");
  return true;
}

ThreeWayOptions three_way_options(const Arguments& arguments, const ThreeWayWords& words, std::optional<MergeSettings>& settings) {
  ThreeWayOptions out;
  const std::string how = arguments.get("on-conflict", "fail");
  out.resolution.policy = find_conflict_policy(how, words.rebase);
  if (out.resolution.policy == nullptr) {
    if (words.rebase) throw Error(ErrorCode::invalid_argument, "--on-conflict " + printable(how) + ": there are " + policy_names(words));
    try {
      out.resolution.method = &find_merge_method(how);
    } catch (const Error&) {
      throw Error(ErrorCode::invalid_argument, "--on-conflict " + printable(how) + ": there are " + policy_names(words) + ", and the methods of `dstore merge --list-methods`");
    }
    settings.emplace(out.resolution.method->name, out.resolution.method->parameters, given_merge_parameters(arguments), 2, arguments.number("seed").value_or(0));
    check_merge_models(*out.resolution.method, 2);
    check_merge_weights(*out.resolution.method, *settings);
    out.resolution.settings = &*settings;
  }
  if (arguments.has("files")) {
    const std::string files = arguments.get("files");
    if (files == "ours" || files == "task") out.files = Side::ours;
    else if (files == "theirs" || files == "base") out.files = Side::theirs;
    else throw Error(ErrorCode::invalid_argument, "--files " + printable(files) + ": expected " + (words.rebase ? "task or base" : "ours or theirs"));
  }
  out.common_rows = common_rows(arguments);
  out.dry_run = arguments.has("dry-run");
  out.facts = {{"method", words.rebase ? "rebase" : "merge"}, {"on_conflict", how}};
  if (!words.rebase) out.facts["merge_method"] = "three-way";
  if (settings) {
    for (const auto& [name, text] : settings->texts()) out.facts["merge_" + name] = text;
  }
  return out;
}

int print_three_way(const Session& session, const ThreeWayOutcome& outcome, const ThreeWayWords& words, const std::string& branch, const std::string& theirs, bool dry_run) {
  const int status = outcome.kind == Kind::conflicts ? kFindings : kSuccess;
  if (session.json) {
    print_outcome_json(outcome, words, branch, dry_run);
    return status;
  }
  if (outcome.overlap) session.say(overlap_text(*outcome.overlap));
  switch (outcome.kind) {
    case Kind::up_to_date:
      session.say(words.rebase ? branch + " is a difference from these weights already: nothing to do" : "already up to date: " + branch + " has " + printable(theirs));
      return status;
    case Kind::fast_forward:
      session.say(branch + ": " + (dry_run ? "would move" : "moved") + " from " + outcome.ours.short_hex() + " to " +
                  (outcome.theirs.is_none() ? "a commit of " + printable(theirs) : outcome.theirs.short_hex()) + " (fast-forward)");
      return status;
    default: break;
  }
  if (outcome.ancestors > 1) {
    session.note("note: " + std::to_string(outcome.ancestors) + " common ancestors are equally near (the histories criss-cross); taken was the newest, " + outcome.ancestor.short_hex());
  }
  print_report(session, outcome, words);
  if (outcome.kind == Kind::conflicts) {
    session.say("nothing was written; say what is kept: " + advice(outcome, words));
    return status;
  }
  if (dry_run) {
    session.say("nothing was written (--dry-run); it would be " + std::string(words.done));
    return status;
  }
  session.say("[" + branch + " " + outcome.commit.short_hex() + "] " + words.done + " with " + printable(theirs) + ": " +
              changed_text(outcome.delta, outcome.full_bytes, outcome.stored_bytes));
  return status;
}

std::string changed_text(const WrittenDelta& delta, std::uint64_t full_bytes, std::uint64_t stored_bytes) {
  const double share = delta.base_elements == 0 ? 0 : static_cast<double>(delta.changed) / static_cast<double>(delta.base_elements);
  return grouped(delta.changed) + " of " + grouped(delta.base_elements) + " weights changed (" + percent(share) + "), " + human_size(full_bytes) + " → " + human_size(stored_bytes);
}

std::string overlap_text(const SumSource::Overlap& overlap) {
  return "overlap: " + grouped(overlap.shared) + " of " + grouped(overlap.changed) + " changed weights are changed by several terms";
}

}  // namespace dstore::cli
