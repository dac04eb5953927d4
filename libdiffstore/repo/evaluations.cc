#include "repo/evaluations.h"

#include <algorithm>
#include <tuple>

#include "dstore/error.h"
#include "repo/copy_commits.h"
#include "repo/forgotten.h"
#include "sign/signature_object.h"

namespace dstore {
namespace {

std::string name_of(const ObjectId& id) { return "evaluation " + id.short_hex(); }

/// nullopt for one that is damaged, or that a collection has removed meanwhile.
std::optional<Evaluation> read_if_whole(const Repository& repository, const ObjectId& id) {
  try {
    return read_evaluation(repository, id);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::io) throw;
    return std::nullopt;
  }
}

}  // namespace

Evaluation read_evaluation(const Repository& repository, const ObjectId& id) {
  return Evaluation::parse(repository.store().read(ObjectKind::evaluation, id), name_of(id));
}

CheckedEvaluation check_evaluation(const Repository& repository, const ObjectId& id) {
  const Bytes bytes = repository.store().read(ObjectKind::evaluation, id);
  return {id, Evaluation::parse(bytes, name_of(id)), repository.trust().check(repository.signature_blobs(id), kEvaluationNamespace, bytes)};
}

std::vector<CheckedEvaluation> evaluations_of(const Repository& repository, const ObjectId& commit) {
  std::vector<CheckedEvaluation> out;
  for (const ObjectId& id : repository.store().evaluations_of(commit)) {
    if (read_if_whole(repository, id)) out.push_back(check_evaluation(repository, id));
  }
  sort_newest_first(out);
  return out;
}

void sort_newest_first(std::vector<CheckedEvaluation>& evaluations) {
  std::sort(evaluations.begin(), evaluations.end(), [](const CheckedEvaluation& a, const CheckedEvaluation& b) {
    return std::tie(a.evaluation.time, a.id) > std::tie(b.evaluation.time, b.id);
  });
}

ObjectId record_evaluation(Repository& repository, Evaluation evaluation, const Committer& committer) {
  evaluation.evaluator = committer.author;
  evaluation.time = committer.time;
  const std::string text = evaluation.serialize();
  for (const ObjectId& id : evaluation.commits) repository.require_commit(id);
  PackSession session = repository.store().begin_write();
  CommitKeeper keeper(repository);
  copy_commits(repository, session, keeper, evaluation.commits, forgotten_commits(repository), {});
  const ObjectId id = session.add(ObjectKind::evaluation, as_bytes(text));
  if (committer.key != nullptr) {
    const SignatureObject signature{id, sign_message(*committer.key, kEvaluationNamespace, as_bytes(text))};
    session.add(ObjectKind::signature, signature.serialize());
  }
  session.commit();
  return id;
}

std::size_t copy_evaluations(const Repository& from, const Repository& to, PackSession& session, const std::set<ObjectId>& forgotten,
                             const std::function<bool(const ObjectId&)>& accept) {
  const auto is_there = [&](const ObjectId& commit) {
    return !forgotten.contains(commit) && (to.store().contains(commit) || session.has(commit));
  };
  std::size_t added = 0;
  from.store().for_each(ObjectKind::evaluation, [&](const ObjectEntry& entry) {
    if (session.has(entry.id)) return;
    const auto evaluation = read_if_whole(from, entry.id);
    if (!evaluation || !std::all_of(evaluation->commits.begin(), evaluation->commits.end(), is_there)) return;
    if (accept && !accept(entry.id)) return;
    session.add_stored(from.store().read_stored(entry.id));
    for (const ObjectId& signature : from.store().signatures_of(entry.id)) session.add_stored(from.store().read_stored(signature));
    ++added;
  });
  return added;
}

}  // namespace dstore
