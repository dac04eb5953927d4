#include "repo/three_way.h"

#include "dstore/error.h"
#include "repo/common_ancestor.h"
#include "repo/forgotten.h"
#include "repo/history.h"
#include "repo/model_version.h"

namespace dstore {
namespace {

/// The tensors of `later` with those of `earlier`: as the deltas say where these are of one base, else by name.
std::vector<Pairing> pairs_between(const Repository& repository, const ModelVersion& earlier, const ModelVersion& later) {
  const StoredWeights &from = *earlier.files.weights, &to = *later.files.weights;
  if (later.delta && later.delta->base_weights == from.weights_id()) return pairs_of_delta(from, to, *later.delta);
  if (!later.delta || !earlier.delta || later.delta->base_weights != earlier.delta->base_weights) return align(from, to, {}).pairs;
  const auto base = StoredWeights::load(repository.store(), later.delta->base_weights);
  std::vector<std::optional<std::size_t>> of_base(base->tensors().size());
  std::map<std::string, std::size_t> own;
  for (const Pairing& pair : pairs_of_delta(*base, from, *earlier.delta)) {
    if (pair.base) of_base[*pair.base] = pair.task;
    else own.emplace(pair.name, *pair.task);
  }
  std::vector<Pairing> out = pairs_of_delta(*base, to, *later.delta);
  for (Pairing& pair : out) {
    const auto same = own.find(pair.name);
    if (pair.base) pair.base = of_base[*pair.base];
    else if (same != own.end()) pair.base = same->second;
  }
  return out;
}

/// The pairs of the result with the base that ours is a difference from.
Lineage lineage_of(const Repository& repository, const ModelVersion& ours, const ThreeWaySource& merged) {
  const auto base = StoredWeights::load(repository.store(), ours.delta->base_weights);
  std::vector<std::optional<std::size_t>> base_of(merged.model(Side::ours).tensors().size());
  for (const Pairing& pair : pairs_of_delta(*base, merged.model(Side::ours), *ours.delta)) base_of[*pair.task] = pair.base;
  Lineage out{*ours.commit.commit.base, ours.delta->base_weights, merged.pairs_with(Side::ours)};
  for (Pairing& pair : out.pairs) {
    if (pair.base) pair.base = base_of[*pair.base];
  }
  return out;
}

/// The weights of three models in a source of their own; the files stay.
std::unique_ptr<ThreeWaySource> merge_weights(PerSide<ModelFiles*> files, const std::vector<Pairing>& ours, const std::vector<Pairing>& theirs, const ThreeWayOptions& options) {
  PerSide<std::unique_ptr<TensorSource>> models;
  for (const Side side : kSides) {
    models[side] = std::move(files[side]->computed);
    if (!models[side]) models[side] = std::move(files[side]->weights);
  }
  return std::make_unique<ThreeWaySource>(std::move(models), ours, theirs, options.resolution, options.common_rows);
}

bool any_rows(const ConflictReport& report) {
  for (const TensorConflict& conflict : report.whole) {
    if (conflict.rows) return true;
  }
  return false;
}

/// Whether the outcome may be written.
bool is_resolved(ThreeWayOutcome& out, const std::optional<Side>& files) {
  out.files_resolved = out.files.empty() || files.has_value();
  if (out.report.unresolved == 0 && out.files_resolved) return true;
  out.kind = ThreeWayOutcome::Kind::conflicts;
  return false;
}

/// Stores the result, a commit of `sources`, and moves the branch from `expected` (none: it is new).
void publish(Repository& repository, const ModelFiles& files, const Lineage& lineage, const std::vector<ModelVersion*>& sources, const ThreeWayOptions& options,
             const RefName& branch, const ObjectId& expected, const Committer& committer, const Progress& progress, ThreeWayOutcome& out) {
  PackSession session = repository.store().begin_write();
  CommitKeeper keeper(repository);
  const auto base = StoredWeights::load(repository.store(), lineage.base_weights);
  ComputedTask task = write_computed(repository, session, *base, files.source(), lineage.pairs, files, progress);
  Commit commit;
  commit.checkpoint = task.checkpoint;
  commit.delta = task.delta.id;
  commit.base = lineage.base;
  for (ModelVersion* source : sources) commit.parents.push_back(store_version(repository, session, keeper, forgotten_commits(repository), *source, committer, progress));
  commit.derived_from = commit.parents;
  commit.message = options.message;
  commit.training = options.facts;
  commit.training["ancestor"] = out.ancestor.hex();
  commit.training["conflicts"] = std::to_string(out.report.all.conflict + out.report.whole.size());
  out.full_bytes = task.full_bytes;
  out.commit = publish_commit(repository, session, std::move(commit), branch, committer, expected);
  out.stored_bytes = session.bytes_stored();
  out.delta = std::move(task.delta);
}

/// Moves the branch from `ours` to a commit that comes from it; that commit.
ObjectId move_forward(Repository& repository, const RefName& branch, const ObjectId& ours, ModelVersion* computed, const ObjectId& theirs, const Committer& committer,
                      const Progress& progress) {
  const auto move = [&] {
    if (computed == nullptr) return point_ref(repository, branch, RefKind::branch, ours, theirs, committer);
    PackSession session = repository.store().begin_write();
    CommitKeeper keeper(repository);
    const ObjectId made = store_version(repository, session, keeper, forgotten_commits(repository), *computed, committer, progress);
    session.commit();
    return move_ref(repository.refs(), repository.config().repository, branch, RefKind::branch, ours, made, committer);
  };
  if (!move()) throw Error(ErrorCode::conflict, "branch " + branch.text() + " has moved meanwhile; nothing was merged");
  return computed == nullptr ? theirs : computed->commit.id;
}

ObjectId branch_head(const Repository& repository, const RefName& branch) {
  const auto head = repository.refs().head(branch);
  if (!head || head->is_deletion()) throw Error(ErrorCode::not_found, "no branch is called " + branch.text() + "; --name makes a new one of a merge, --into goes on with one");
  if (head->kind != RefKind::branch) throw Error(ErrorCode::conflict, branch.text() + " is a tag; merge into a branch");
  return head->new_commit;
}

void require_task_of(const Repository& repository, const ObjectId& id, const std::string& text) {
  if (repository.require_commit(id).commit.is_task()) return;
  throw Error(ErrorCode::invalid_argument, printable(text) + " is a base, no task; `dstore rebase TASK " + printable(text) + "` takes a task to another base");
}

}  // namespace

ThreeWayOutcome merge_into(Repository& repository, const MergeSource& theirs, const RefName& branch, const ThreeWayOptions& options, const Committer& committer,
                           const Progress& progress) {
  using Kind = ThreeWayOutcome::Kind;
  ThreeWayOutcome out;
  out.ours = branch_head(repository, branch);
  out.theirs = theirs.commit;
  require_task_of(repository, out.ours, branch.text());
  std::optional<ModelVersion> computed;
  if (theirs.computed) {
    computed.emplace(open_version(repository, theirs, progress));
    out.overlap = computed->overlap;
    if (const auto made = find_made(repository, out.ours, *computed)) {
      out.theirs = out.ancestor = *made;
      return out;
    }
  } else {
    require_task_of(repository, out.theirs, theirs.text);
  }
  const std::vector<ObjectId> ancestors = common_ancestors(repository, out.ours, computed ? computed->commit.commit.parents : std::vector{out.theirs});
  if (ancestors.empty()) {
    throw Error(ErrorCode::conflict, branch.text() + " and " + printable(theirs.text) + " have no history in common; `dstore merge " + branch.text() + " " + printable(theirs.text) +
                                         " --name NAME` merges tasks of one base");
  }
  out.ancestors = ancestors.size();
  out.ancestor = ancestors.front();
  if (out.ancestor == out.theirs) return out;
  if (out.ancestor == out.ours) {
    out.kind = Kind::fast_forward;
    if (options.dry_run) return out;
    out.commit = out.theirs = move_forward(repository, branch, out.ours, computed ? &*computed : nullptr, out.theirs, committer, progress);
    return out;
  }
  PerSide<ModelVersion> versions{{load_version(repository, out.ancestor), load_version(repository, out.ours), computed ? std::move(*computed) : load_version(repository, out.theirs)}};
  const auto ours = pairs_between(repository, versions[Side::base], versions[Side::ours]), theirs_pairs = pairs_between(repository, versions[Side::base], versions[Side::theirs]);
  auto merged = merge_weights({{&versions[Side::base].files, &versions[Side::ours].files, &versions[Side::theirs].files}}, ours, theirs_pairs, options);
  out.report = merged->analyse(progress);
  const Lineage lineage = lineage_of(repository, versions[Side::ours], *merged);
  out.base = lineage.base;
  const PerSide<const ModelFiles*> files{{&versions[Side::base].files, &versions[Side::ours].files, &versions[Side::theirs].files}};
  if (any_rows(out.report)) out.tokenizers = tokenizer_text(*files[Side::ours], "ours", *files[Side::theirs], "theirs");
  const std::optional<Side> choice = options.files ? options.files : options.resolution.side();
  const ModelFiles result = three_way_files(files, std::move(merged), choice, out.files);
  if (!is_resolved(out, choice)) return out;
  out.kind = Kind::merged;
  if (options.dry_run) return out;
  publish(repository, result, lineage, {&versions[Side::ours], &versions[Side::theirs]}, options, branch, out.ours, committer, progress, out);
  out.theirs = versions[Side::theirs].commit.id;
  return out;
}

Rebased rebase_model(const Repository& repository, ModelFiles& task, const Lineage& from, const ObjectId& new_base, const ThreeWayOptions& options, const Progress& progress) {
  ModelFiles base = load_commit_files(repository, repository.require_commit(from.base).commit);
  ModelFiles target = load_commit_files(repository, repository.require_commit(new_base).commit);
  Rebased out;
  out.lineage = {new_base, target.weights->weights_id(), {}};
  const std::vector<Pairing> pairs = align(*base.weights, *target.weights, {}).pairs;
  auto merged = merge_weights({{&base, &task, &target}}, from.pairs, pairs, options);
  out.report = merged->analyse(progress);
  out.lineage.pairs = merged->pairs_with(Side::theirs);
  const PerSide<const ModelFiles*> files{{&base, &task, &target}};
  if (any_rows(out.report)) out.tokenizers = tokenizer_text(*files[Side::ours], "ours", *files[Side::theirs], "theirs");
  out.files = three_way_files(files, std::move(merged), options.files.value_or(Side::ours), out.file_conflicts);
  return out;
}

ThreeWayOutcome rebase(Repository& repository, const MergeSource& task, const MergeSource& new_base, const RefName& branch, const ThreeWayOptions& options,
                       const Committer& committer, const Progress& progress) {
  using Kind = ThreeWayOutcome::Kind;
  const auto head = repository.refs().head(branch);
  const bool exists = head && !head->is_deletion();
  if (exists && (head->new_commit != task.commit || head->kind != RefKind::branch)) {
    throw Error(ErrorCode::conflict, branch.text() + " exists and is not the branch of " + printable(task.text) + "; give another --name");
  }
  ModelVersion ours = open_version(repository, task, progress);
  if (!ours.delta) require_task(ours.commit, task.text);
  const CheckedCommit target = repository.require_commit(new_base.commit);
  if (target.commit.is_task()) {
    throw Error(ErrorCode::invalid_argument, printable(new_base.text) + " is a task, no base; `dstore merge " + printable(new_base.text) + " --into BRANCH` merges tasks");
  }
  ThreeWayOutcome out;
  out.ours = task.commit;
  out.overlap = ours.overlap;
  out.theirs = new_base.commit;
  out.ancestor = *ours.commit.commit.base;
  out.base = new_base.commit;
  if (read_checkpoint(repository, target.commit).weights == ours.delta->base_weights) return out;
  const Lineage from{out.ancestor, ours.delta->base_weights, pairs_of_delta(*StoredWeights::load(repository.store(), ours.delta->base_weights), *ours.files.weights, *ours.delta)};
  Rebased result = rebase_model(repository, ours.files, from, new_base.commit, options, progress);
  out.report = std::move(result.report);
  out.files = std::move(result.file_conflicts);
  out.tokenizers = std::move(result.tokenizers);
  if (!is_resolved(out, Side::ours)) return out;
  out.kind = Kind::merged;
  if (options.dry_run) return out;
  publish(repository, result.files, result.lineage, {&ours}, options, branch, exists ? task.commit : ObjectId(), committer, progress, out);
  out.ours = ours.commit.id;
  return out;
}

}  // namespace dstore
