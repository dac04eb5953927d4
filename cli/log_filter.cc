#include "log_filter.h"

#include <algorithm>
#include <set>

#include "base/edit_distance.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "number_text.h"
#include "repo/revision.h"
#include "sign/principal.h"
#include "time_text.h"

namespace dstore::cli {
namespace {

using Test = std::function<bool(const CommitFacts&)>;

/// What a filter is made from.
struct Context {
  const Session& session;
  const Repository& repository;
  Catalog& catalog;
  const RefView& refs;
  const std::vector<const CommitFacts*>& commits;
};

[[noreturn]] void fail_unknown(const char* option, const std::string& typed, const std::set<std::string>& words) {
  const auto near = nearest(typed, {words.begin(), words.end()});
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : ", ") + printable(word);
  throw Error(ErrorCode::invalid_argument, std::string(option) + ": no commit here has \"" + printable(typed) + "\"" +
                                               (near ? "; did you mean " + printable(*near) + "?" : list.empty() ? "" : "; there is " + list));
}

/// Error where `typed` is a plain word that is none of those in use.
void require_known(const char* option, const std::string& typed, const std::set<std::string>& words) {
  const bool plain = typed.find_first_of("*?,!") == std::string::npos;
  if (plain && words.count(typed) == 0) fail_unknown(option, typed, words);
}

enum class Relation { less, at_most, equal, at_least, greater, different };
struct Operator {
  std::string_view text;
  Relation relation;
};
constexpr Operator kOperators[] = {{"<=", Relation::at_most}, {">=", Relation::at_least}, {"!=", Relation::different}, {"==", Relation::equal},
                                   {"<", Relation::less},     {">", Relation::greater},   {"=", Relation::equal}};

/// Within `tolerance` of the limit counts as equal.
bool holds(Relation relation, double value, double limit, double tolerance) {
  const bool equal = std::abs(value - limit) <= tolerance;
  switch (relation) {
    case Relation::less: return value < limit;
    case Relation::at_most: return value <= limit;
    case Relation::at_least: return value >= limit;
    case Relation::greater: return value > limit;
    case Relation::equal: return equal;
    case Relation::different: return !equal;
  }
  return false;
}

/// "90 %" and "0.9" are the same number.
std::optional<double> number_or_share(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  if (!text.ends_with('%')) return parse_number(text);
  text.pop_back();
  const auto number = parse_number(text);
  return number ? std::optional(*number / 100) : std::nullopt;
}

Test by_method(const Context& context, const std::string& typed) {
  std::set<std::string> methods;
  for (const CommitFacts* facts : context.commits) methods.insert(method_of(facts->commit));
  require_known("--method", typed, methods);
  return [typed](const CommitFacts& facts) { return matches_pattern_list(method_of(facts.commit), typed); };
}

Test by_task(const Context& context, const std::string& typed) {
  std::set<std::string> names;
  std::set<ObjectId> wanted;
  const auto take = [&](const std::string& name, ObjectId commit) {
    if (!context.catalog.commit(commit).is_task()) return;
    names.insert(name);
    if (!matches_pattern_list(name, typed)) return;
    for (;;) {
      const CommitFacts& facts = context.catalog.commit(commit);
      if (!facts.is_task() || !wanted.insert(commit).second || facts.commit.parents.empty()) return;
      commit = facts.commit.parents.front();
    }
  };
  for (const auto& [name, head] : context.refs.branches()) take(name, head);
  require_known("--task", typed, names);
  return [wanted = std::move(wanted)](const CommitFacts& facts) { return wanted.count(facts.id) > 0; };
}

Test by_density(const Context&, const std::string& typed) {
  const auto share = [&](const std::string& text) {
    const auto value = number_or_share(text);
    if (!value || *value < 0 || *value > 1) {
      throw Error(ErrorCode::invalid_argument, "--density \"" + printable(typed) + "\": write 0.5%, '<=1%' or 0.1%..1% (or shares: 0.005)");
    }
    return *value;
  };
  if (const std::size_t dots = typed.find(".."); dots != std::string::npos) {
    const double least = share(typed.substr(0, dots)), most = share(typed.substr(dots + 2));
    return [=](const CommitFacts& facts) { return facts.density && *facts.density >= least && *facts.density <= most; };
  }
  Relation relation = Relation::equal;
  std::string number = typed;
  for (const Operator& known : kOperators) {
    if (!typed.starts_with(known.text)) continue;
    relation = known.relation;
    number = typed.substr(known.text.size());
    break;
  }
  const double limit = share(number);
  return [=](const CommitFacts& facts) { return facts.density && holds(relation, *facts.density, limit, limit / 100); };
}

Test by_metric(const Context& context, const std::string& typed) {
  const std::size_t at = std::min(typed.find_first_of("<>=!"), typed.size());
  const Operator* used = nullptr;
  std::optional<double> limit;
  if (at < typed.size()) {
    used = std::find_if(std::begin(kOperators), std::end(kOperators), [&](const Operator& o) { return typed.substr(at).starts_with(o.text); });
    if (used != std::end(kOperators)) limit = number_or_share(typed.substr(at + used->text.size()));
  }
  const std::size_t colon = typed.find(':');
  const std::string split = colon < at ? typed.substr(0, colon) : "";
  std::string name = typed.substr(colon < at ? colon + 1 : 0, colon < at ? at - colon - 1 : at);
  while (name.ends_with(' ')) name.pop_back();
  if (name.empty() || (at < typed.size() && !limit)) {
    throw Error(ErrorCode::invalid_argument, "--metric \"" + printable(typed) + "\": write 'accuracy>=0.9', 'dev:f1>0.8' or accuracy");
  }
  const std::vector<std::string> names = metric_names(name);
  std::set<std::string> known;
  for (const CommitFacts* facts : context.commits) {
    for (const Metric& metric : all_metrics(*facts)) known.insert(metric.name);
  }
  if (std::none_of(names.begin(), names.end(), [&](const std::string& n) { return known.count(n) > 0; })) fail_unknown("--metric", name, known);
  const Relation relation = limit ? used->relation : Relation::equal;
  return [=](const CommitFacts& facts) {
    for (const std::string& candidate : names) {
      const auto value = metric_value(facts, candidate, split);
      if (value && (!limit || holds(relation, *value, *limit, 0))) return true;
    }
    return false;
  };
}

/// Measured, by training or by an evaluation, on a file with these bytes, or on data whose digest begins so.
Test by_data(const Context& context, const std::string& typed) {
  const std::string path = context.session.path(typed);
  const auto info = context.session.fs().stat(path, true);
  const bool is_file = info && info->type == FileInfo::Type::regular;
  const std::string digest = is_file ? sha256(context.session.fs().map(path).bytes).hex() : typed;
  const bool is_prefix = digest.size() >= 4 && digest.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_prefix) throw Error(ErrorCode::invalid_argument, "--data " + printable(typed) + ": no such file, and no digest (4 hex digits or more)");
  const Test test = [digest](const CommitFacts& facts) {
    const std::vector<Metric> metrics = all_metrics(facts);
    return std::any_of(metrics.begin(), metrics.end(), [&](const Metric& metric) { return metric.data_sha256.starts_with(digest); });
  };
  const auto& commits = context.commits;
  if (std::none_of(commits.begin(), commits.end(), [&](const CommitFacts* facts) { return test(*facts); })) {
    throw Error(ErrorCode::invalid_argument, "--data " + printable(typed) + ": no commit here was measured on it; `dstore query 'SELECT DISTINCT data, data_sha256 FROM evaluations'` lists what there is");
  }
  return test;
}

Test by_since(const Context&, const std::string& typed) {
  const std::int64_t since = parse_since(typed, now());
  return [since](const CommitFacts& facts) { return facts.commit.time >= since; };
}

/// A principal (also without what follows its @), a fingerprint, or what is said of a commit without a good signature.
Test by_signer(const Context& context, const std::string& typed) {
  const auto names_of = [](const CommitFacts& facts) {
    const Verification& signature = facts.signature;
    std::vector<std::string> names;
    if (signature.key) names.push_back(signature.key->fingerprint());
    if (signature.verdict != Verdict::good) {
      names.emplace_back(verdict_name(signature.verdict));
      return names;
    }
    names.push_back(signature.principal);
    names.push_back(signature.principal.substr(0, signature.principal.find('@')));
    return names;
  };
  std::set<std::string> known;
  for (const CommitFacts* facts : context.commits) {
    for (std::string& name : names_of(*facts)) known.insert(std::move(name));
  }
  require_known("--signer", typed, known);
  return [=](const CommitFacts& facts) {
    const auto names = names_of(facts);
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return matches_pattern_list(name, typed); });
  };
}

/// Tasks on the weights of that base; of a task: on those of its base.
Test by_base(const Context& context, const std::string& typed) {
  const CommitFacts& named = context.catalog.commit(resolve_commit(context.repository, typed));
  const ObjectId weights = named.is_task() ? named.base_weights : named.weights;
  return [weights](const CommitFacts& facts) { return facts.is_task() && facts.base_weights == weights; };
}

struct Row {
  OptionSpec option;
  Test (*make)(const Context&, const std::string&);
};

const Row kRows[] = {
    {{"--method", "NAME", "Only commits by this method: bitfit, 'diff-*', base, folder (also a list: a,b; !a: not)"}, by_method},
    {{"--task", "BRANCH", "Only commits of this task branch: topic, 'en/*'"}, by_task},
    {{"--density", "T", "Only tasks that change this share of the weights: 0.5%, '<=1%', 0.1%..1%"}, by_density},
    {{"--metric", "TEST", "Only commits with such a metric (test, else dev): 'accuracy>=0.9', 'dev:f1>0.8'", true}, by_metric},
    {{"--data", "FILE|DIGEST", "Only commits that were measured on this data, in training or by `dstore eval --record`"}, by_data},
    {{"--since", "WHEN", "Only commits made since a date or within a span: 2026-11-01, 3d, 2w"}, by_since},
    {{"--signer", "NAME", "Only commits well signed by this principal or key; or 'unsigned'"}, by_signer},
    {{"--base", "REV", "Only tasks on the weights of this base"}, by_base},
};

std::string key_of(const OptionSpec& option) { return std::string(option.names).substr(2); }

}  // namespace

const std::vector<OptionSpec>& filter_options() {
  static const std::vector<OptionSpec> options = [] {
    std::vector<OptionSpec> out;
    for (const Row& row : kRows) out.push_back(row.option);
    return out;
  }();
  return options;
}

void filter_commits(const Arguments& arguments, const Session& session, const Repository& repository, Catalog& catalog, const RefView& refs,
                    std::vector<const CommitFacts*>& commits) {
  const Context context{session, repository, catalog, refs, commits};
  std::vector<Test> tests;
  for (const Row& row : kRows) {
    for (const std::string& typed : arguments.all(key_of(row.option))) tests.push_back(row.make(context, typed));
  }
  std::erase_if(commits, [&](const CommitFacts* facts) {
    return !std::all_of(tests.begin(), tests.end(), [&](const Test& test) { return test(*facts); });
  });
}

}  // namespace dstore::cli
