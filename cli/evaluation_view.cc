#include "evaluation_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/decimal.h"
#include "commit_view.h"
#include "number_text.h"
#include "output.h"
#include "repo/catalog.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMostLines = 3;
constexpr std::size_t kDigestDigits = 10;

std::string measured_model(const RefNames& refs, const Evaluation& evaluation) {
  if (!evaluation.commit) return "(computed)";
  const std::string names = joined_refs(refs, *evaluation.commit);
  return evaluation.commit->short_hex() + (names.empty() ? "" : " (" + names + ")");
}

std::vector<CheckedEvaluation> chosen(const Session& session, const Repository& repository, const std::string& revision) {
  if (revision.empty()) return Catalog(repository, session.progress("cataloguing")).evaluations().all();
  return recorded_for(repository, revision);
}

}  // namespace

std::string data_text(const Evaluation& evaluation) {
  const std::string digest = evaluation.data_sha256.hex().substr(0, kDigestDigits);
  return evaluation.data.empty() ? digest : printable(evaluation.data) + " " + digest;
}

std::string metrics_text(const Evaluation& evaluation) {
  std::string text;
  for (const auto& [name, value] : evaluation.metrics) text += (text.empty() ? "" : ", ") + printable(name) + " " + brief_number(value);
  return text;
}

std::vector<CheckedEvaluation> recorded_for(const Repository& repository, const std::string& typed) {
  const Revision revision = resolve_revision(repository, typed);
  std::vector<CheckedEvaluation> out = evaluations_of(repository, revision.computed ? named_commits(revision).front() : revision.commit);
  if (revision.computed) std::erase_if(out, [&](const CheckedEvaluation& each) { return each.evaluation.revision != pinned(revision); });
  return out;
}

std::string measured_text(const Evaluation& evaluation) {
  return printable(evaluation.split) + " " + metrics_text(evaluation) + " (n " + grouped(static_cast<std::uint64_t>(evaluation.n)) + ")";
}

std::string evaluation_line(const Session& session, const CheckedEvaluation& checked) {
  const VerdictMark mark = verdict_mark(checked.signature);
  return measured_text(checked.evaluation) + " on " + data_text(checked.evaluation) + ", " + age(checked.evaluation.time, now()) + " " +
         session.paint(mark.color, mark.text);
}

std::string evaluation_lines(const Session& session, const std::vector<CheckedEvaluation>& evaluations) {
  std::string out;
  for (std::size_t i = 0; i < std::min(kMostLines, evaluations.size()); ++i) out += "Evaluated: " + evaluation_line(session, evaluations[i]) + "\n";
  if (evaluations.size() > kMostLines) out += "           and " + grouped(evaluations.size() - kMostLines) + " more: dstore eval --list REV\n";
  return out;
}

ordered_json signature_json(const Verification& signature) {
  return {{"verdict", std::string(verdict_name(signature.verdict))},
          {"principal", signature.principal},
          {"fingerprint", signature.key ? ordered_json(signature.key->fingerprint()) : ordered_json()}};
}

ordered_json evaluation_json(const CheckedEvaluation& checked) {
  const Evaluation& evaluation = checked.evaluation;
  ordered_json commits = ordered_json::array(), metrics = ordered_json::array(), environment = ordered_json::object();
  for (const ObjectId& id : evaluation.commits) commits.push_back(id.hex());
  for (const auto& [name, value] : evaluation.metrics) metrics.push_back({{"name", name}, {"value", *parse_number(value)}});
  for (const auto& [key, value] : evaluation.environment) environment[key] = value;
  return {{"id", checked.id.hex()},
          {"commit", evaluation.commit ? ordered_json(evaluation.commit->hex()) : ordered_json()},
          {"commits", std::move(commits)},
          {"revision", evaluation.revision},
          {"split", evaluation.split},
          {"data", evaluation.data},
          {"data_sha256", evaluation.data_sha256.hex()},
          {"n", evaluation.n},
          {"metrics", std::move(metrics)},
          {"environment", std::move(environment)},
          {"evaluator", evaluation.evaluator},
          {"time", evaluation.time},
          {"signature", signature_json(checked.signature)}};
}

int list_evaluations(const Session& session, const Repository& repository, const std::string& revision) {
  const std::vector<CheckedEvaluation> evaluations = chosen(session, repository, revision);
  if (session.json) {
    ordered_json out = ordered_json::array();
    for (const CheckedEvaluation& each : evaluations) out.push_back(evaluation_json(each));
    print_pretty(out);
    return 0;
  }
  if (evaluations.empty()) {
    session.note("no evaluation is recorded" + (revision.empty() ? "" : " of " + printable(revision)) + "; `dstore eval REV --data FILE --record` makes one");
    return 0;
  }
  const RefNames refs = view_refs(session, repository).names;
  Table table({"evaluation", "model", "split", ">n", "metrics", "data", "signer", ">age"});
  for (const CheckedEvaluation& each : evaluations) {
    const Evaluation& evaluation = each.evaluation;
    table.add({each.id.short_hex(), measured_model(refs, evaluation), printable(evaluation.split), grouped(static_cast<std::uint64_t>(evaluation.n)),
               metrics_text(evaluation), data_text(evaluation), verdict_mark(each.signature).text, age(evaluation.time, now())});
  }
  std::string text = table.text();
  text.pop_back();
  session.say(text);
  return 0;
}

}  // namespace dstore::cli
