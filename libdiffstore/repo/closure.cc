#include "repo/closure.h"

#include <algorithm>

#include "dstore/error.h"
#include "object/chunked.h"
#include "repo/evaluations.h"
#include "repo/model_files.h"

namespace dstore {

void Closure::add_commit(const ObjectId& start) {
  std::vector<ObjectId> stack{start}, added;
  while (!stack.empty()) {
    const ObjectId id = stack.back();
    stack.pop_back();
    if (ids_.contains(id)) continue;
    const bool forgotten = forgotten_.contains(id);
    if (forgotten && !repository_.store().contains(id)) continue;
    const Commit commit = repository_.read_commit(id);
    if (!forgotten) add_content(commit);
    add_signatures(id);
    ids_.insert(id);
    added.push_back(id);
    stack.insert(stack.end(), commit.parents.begin(), commit.parents.end());
    stack.insert(stack.end(), commit.derived_from.begin(), commit.derived_from.end());
    if (commit.base) stack.push_back(*commit.base);
  }
  for (const ObjectId& id : added) add_evaluations(id);
}

void Closure::add_signatures(const ObjectId& target) {
  for (const ObjectId& signature : repository_.store().signatures_of(target)) ids_.insert(signature);
}

/// One of several commits waits for the last of them.
void Closure::add_evaluations(const ObjectId& commit) {
  const auto is_alive = [&](const ObjectId& id) { return ids_.contains(id) && !forgotten_.contains(id); };
  for (const ObjectId& id : repository_.store().evaluations_of(commit)) {
    if (ids_.contains(id)) continue;
    try {
      const std::vector<ObjectId> commits = read_evaluation(repository_, id).commits;
      if (!std::all_of(commits.begin(), commits.end(), is_alive)) continue;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::io) throw;  // a damaged one stays: a repair may bring it back
    }
    add_signatures(id);
    ids_.insert(id);
  }
}

void Closure::add_content(const Commit& commit) {
  const CheckpointTable checkpoint = read_checkpoint(repository_, commit);
  for (const auto& shard : checkpoint.shards) add_file(shard.header);
  for (const auto& file : checkpoint.files) add_file(file.file);
  ids_.insert(commit.checkpoint);
  if (!commit.is_task()) return add_weights(checkpoint.weights);
  if (commit.adapter) add_adapter(*commit.adapter);
  const DeltaTable delta = read_delta(repository_, commit);
  ids_.insert(delta.segments.begin(), delta.segments.end());
  for (const ObjectId& id : delta.stored_tensors()) add_tensor(id);
  if (!forgotten_.contains(*commit.base)) add_weights(delta.base_weights);
  ids_.insert(*commit.delta);
}

void Closure::add_adapter(const ObjectId& id) {
  const CheckpointTable table = read_checkpoint(repository_, id);
  for (const auto& shard : table.shards) add_file(shard.header);
  for (const auto& file : table.files) add_file(file.file);
  add_weights(table.weights);
  ids_.insert(id);
}

void Closure::add_weights(const ObjectId& id) {
  if (ids_.contains(id)) return;
  const WeightsTable table = WeightsTable::parse(repository_.store().read(ObjectKind::weights, id), "weights " + id.short_hex());
  for (const WeightsTable::Row& row : table.rows) add_tensor(row.tensor);
  ids_.insert(id);
}

void Closure::add_tensor(const ObjectId& id) {
  if (ids_.contains(id)) return;
  const TensorObject tensor = TensorObject::parse(repository_.store().read(ObjectKind::tensor, id), "tensor " + id.short_hex());
  ids_.insert(tensor.chunks.begin(), tensor.chunks.end());
  ids_.insert(id);
}

void Closure::add_file(const ObjectId& id) {
  if (ids_.contains(id)) return;
  const FileObject file = FileObject::parse(repository_.store().read(ObjectKind::file, id), "file " + id.short_hex());
  ids_.insert(file.chunks.begin(), file.chunks.end());
  ids_.insert(id);
}

void Closure::add_object(ObjectKind kind, const ObjectId& id) {
  const ObjectStore& store = repository_.store();
  if (!store.contains(id) || ids_.contains(id)) return;
  const auto follow = [&](ObjectKind named, const ObjectId& to) { add_object(named, to); };
  switch (kind) {
    case ObjectKind::commit: {
      const Commit commit = repository_.read_commit(id);
      add_signatures(id);
      ids_.insert(id);
      follow(ObjectKind::checkpoint, commit.checkpoint);
      if (commit.delta) follow(ObjectKind::delta, *commit.delta);
      if (commit.adapter) follow(ObjectKind::checkpoint, *commit.adapter);
      for (const ObjectId& parent : commit.parents) follow(ObjectKind::commit, parent);
      for (const ObjectId& source : commit.derived_from) follow(ObjectKind::commit, source);
      if (commit.base) follow(ObjectKind::commit, *commit.base);
      return;
    }
    case ObjectKind::checkpoint: {
      const CheckpointTable table = CheckpointTable::parse(store.read(kind, id), "checkpoint " + id.short_hex());
      for (const auto& shard : table.shards) follow(ObjectKind::file, shard.header);
      for (const auto& file : table.files) follow(ObjectKind::file, file.file);
      follow(ObjectKind::weights, table.weights);
      break;
    }
    case ObjectKind::delta: {
      const DeltaTable table = DeltaTable::parse(store.read(kind, id), "delta " + id.short_hex());
      ids_.insert(table.segments.begin(), table.segments.end());
      for (const ObjectId& tensor : table.stored_tensors()) follow(ObjectKind::tensor, tensor);
      follow(ObjectKind::weights, table.base_weights);
      break;
    }
    case ObjectKind::weights: add_weights(id); break;
    case ObjectKind::tensor: add_tensor(id); break;
    case ObjectKind::file: add_file(id); break;
    case ObjectKind::chunk:
    case ObjectKind::segment:
    case ObjectKind::evaluation:
    case ObjectKind::signature: break;
  }
  ids_.insert(id);
}

}  // namespace dstore
