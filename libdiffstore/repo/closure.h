#pragma once

#include <set>
#include <unordered_set>
#include <vector>

#include "repo/repository.h"

namespace dstore {

/// The objects that commits stand on: their history, what they derive from, bases, checkpoints, deltas, down to chunks, the
/// commits' signatures, and the evaluations (signed) all of whose commits are among them. Of a forgotten commit only itself and its history; of a task with a forgotten base not
/// the base's weights. Reads tables, not chunks. Only grows. One thread.
class Closure {
 public:
  Closure(const Repository& repository, std::set<ObjectId> forgotten) : repository_(repository), forgotten_(std::move(forgotten)) {}

  /// Error{not_found} or {corrupt} where something on the way cannot be read: what lies behind it is not known then.
  void add_commit(const ObjectId& commit);
  /// The commit's checkpoint and delta alone, also where it is forgotten.
  void add_content(const Commit& commit);
  /// An object with what it names; what is not in the store is passed over.
  void add_object(ObjectKind kind, const ObjectId& id);

  bool contains(const ObjectId& id) const { return ids_.contains(id); }
  const std::unordered_set<ObjectId>& ids() const { return ids_; }
  const std::set<ObjectId>& forgotten() const { return forgotten_; }
  /// From now on content of these is not added any more.
  void forget(const std::set<ObjectId>& commits) { forgotten_.insert(commits.begin(), commits.end()); }

 private:
  void add_adapter(const ObjectId& id);
  void add_weights(const ObjectId& id);
  void add_tensor(const ObjectId& id);
  void add_file(const ObjectId& id);
  void add_signatures(const ObjectId& target);
  void add_evaluations(const ObjectId& commit);

  const Repository& repository_;
  std::set<ObjectId> forgotten_;
  std::unordered_set<ObjectId> ids_;
};

}  // namespace dstore
