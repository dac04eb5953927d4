#include "repo/apply.h"

#include <algorithm>

#include "dstore/error.h"
#include "repo/base_folder.h"
#include "repo/compose.h"
#include "repo/folder_undo.h"
#include "repo/tensor_ids.h"

namespace dstore {
namespace {

std::string without_slash(std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

/// The commit that `task` names, which must be a task, and the one it was made from.
std::vector<CheckedCommit> require_task_commits(const Repository& repository, const Revision& task) {
  if (task.computed) {
    throw Error(ErrorCode::invalid_argument, "\"" + printable(task.text) + "\" is computed and no commit; `dstore merge '" + printable(task.text) +
                                                 "' --name NAME` makes one of it");
  }
  if (task.base) {
    throw Error(ErrorCode::invalid_argument, "\"" + printable(task.text) + "\": give the task alone, the folder is the base (`dstore switch` takes base+task)");
  }
  std::vector<CheckedCommit> commits{repository.require_commit(task.commit)};
  require_task(commits.front(), task.text);
  commits.push_back(repository.require_commit(*commits.front().commit.base));
  return commits;
}

/// Chunks of the store that lie in files of the folder would go bad with them.
void require_not_linked(const Repository& repository, const CheckpointFolder& folder) {
  for (const Shard& shard : folder.shards()) {
    const std::string path = join_path(folder.path(), shard.path);
    const auto info = repository.fs().stat(path, true);
    for (const auto& entry : repository.store().links().entries()) {
      if (!entry.name.empty() && entry.link && info && entry.link->inode == info->inode && entry.link->size == info->size) {
        throw Error(ErrorCode::conflict, printable(path) + ": the store reads its base from this file (import --link); changing it would damage the store; write elsewhere with -o FOLDER");
      }
    }
    const auto own = repository.fs().stat(path, false);
    if (!own || own->type != FileInfo::Type::regular) {
      throw Error(ErrorCode::conflict, printable(path) + ": is a link; a change would reach what it leads to; write elsewhere with -o FOLDER");
    }
  }
}

/// Reads all of the folder. Error{conflict} unless its tensors, whose names and shapes are the base's, are those of the base.
void require_weights(const CheckpointFolder& folder, const StoredWeights& base, unsigned threads) {
  const WeightsTable found = weights_of(folder.tensors(), threads);
  const WeightsTable wanted = base.table();
  const auto [mine, other] = std::mismatch(found.rows.begin(), found.rows.end(), wanted.rows.begin(), wanted.rows.end());
  if (mine == found.rows.end()) return;
  throw Error(ErrorCode::conflict, printable(folder.path()) + ": is not the base of this task (weights " + base.weights_id().hex() + "): the tensor " +
                                       printable(mine->name) + " has other values");
}

/// A folder that is no checkout becomes one.
CheckoutRecord adopt(Filesystem& fs, const CheckpointFolder& folder, const ObjectId& base_commit) {
  CheckoutRecord record;
  record.revision = base_commit.short_hex();
  record.commit = base_commit;
  const auto add = [&](const std::string& path) {
    const std::string full = join_path(folder.path(), path);
    const auto info = fs.stat(full, false);
    if (info && info->type == FileInfo::Type::regular) record.files[path] = {hash_file(fs, full), info->size, info->mtime_ns, info->inode};
  };
  for (const Shard& shard : folder.shards()) add(shard.path);
  for (const SideFile& file : folder.side_file_list()) add(file.path);
  write_checkout_record(fs, folder.path(), record);
  return record;
}

/// base+task where the base is a folder: its shards with its layout, the task's side files. `others` are side files of the
/// folder that stay.
ModelFiles files_on_folder(const Repository& repository, const Commit& task, const DeltaTable& delta, const CheckpointFolder& folder,
                           std::set<std::string>& others) {
  ModelFiles committed = load_commit_files(repository, task);
  ModelFiles out;
  out.weights = std::move(committed.weights);
  out.weights->read_base_from(folder.tensors(), printable(folder.path()));
  std::vector<ShardFile> base;
  for (const Shard& shard : folder.shards()) base.push_back({shard.path, shard.header, std::nullopt});
  out.shards = compose_shards(base, delta, out.weights->tensors());
  for (ShardFile& shard : out.shards) {
    for (const ShardFile& known : committed.shards) {
      if (known.header.raw == shard.header.raw) shard.sha256 = known.sha256;
    }
  }
  out.files = std::move(committed.files);
  out.files.erase(std::string(kIndexFile));
  if (Bytes index = make_index(out.shards); !index.empty()) out.files[std::string(kIndexFile)] = PlainFile{std::nullopt, std::move(index)};
  for (const ShardFile& shard : out.shards) out.files.erase(shard.path);
  for (const SideFile& file : folder.side_file_list()) {
    if (file.path != kIndexFile && out.files.count(file.path) == 0) others.insert(file.path);
  }
  return out;
}

/// The record of base+task in a folder that was `before`.
CheckoutRecord applied_record(const Revision& task, const CheckoutRecord& before) {
  CheckoutRecord record = new_record(task);
  record.revision = before.revision + "+" + task.text;
  record.base = before.commit;
  return record;
}

/// Where the folder is known to hold other weights, it is not read at all.
void require_base(const Repository& repository, const CheckoutRecord& record, const DeltaTable& delta, const Revision& task, const std::string& folder) {
  if (record.expression.empty() && record.base.is_none() && (!repository.store().contains(record.commit) ||
                                read_checkpoint(repository, repository.read_commit(record.commit)).weights == delta.base_weights)) {
    return;
  }
  const bool can_undo = exists(repository.fs(), join_path(folder, kUndoFile));
  throw Error(ErrorCode::conflict, printable(folder) + ": is " + printable(record.revision) + ", not the base that " + printable(task.text) + " was made from; " +
                                       (can_undo ? "`dstore unapply` takes the last change back, " : "") + "`dstore switch` goes to base+task");
}

}  // namespace

ApplyReport apply_task(Repository& repository, const Revision& task, const std::string& given, const ChangeOptions& options, const Progress& progress) {
  const std::string folder = without_slash(given);
  ApplyReport report;
  report.commits = require_task_commits(repository, task);
  const Commit& commit = report.commits.front().commit;
  const DeltaTable delta = read_delta(repository, commit);
  const FolderLock lock(repository.fs(), folder);
  auto record = read_checkout_record(repository.fs(), folder, lock);
  if (record) require_base(repository, *record, delta, task, folder);
  const CheckpointFolder source(repository.fs(), folder);
  require_not_linked(repository, source);
  FolderTarget target;
  target.files = files_on_folder(repository, commit, delta, source, target.keep);
  target.old = target.files.weights->base();
  target.old_is_base = true;
  if (repository.config().without_base) attach_base(repository, source, commit);
  // Known from a checkout of this repository; else all of it is read.
  if (!record || !repository.store().contains(record->commit)) require_weights(source, *target.old, options.threads);
  if (!record) record = adopt(repository.fs(), source, *commit.base);
  target.record = applied_record(task, *record);
  for (const DeltaTable::Change& change : delta.changes) {
    if (!change.base_name.empty()) target.old_names.emplace(change.name, change.base_name);
  }
  report.weights = delta.result_weights;
  report.before = record->revision;
  report.after = target.record.revision;
  report.change = change_folder(repository, source, *record, target, options, progress);
  return report;
}

CheckoutReport apply_to_new(Repository& repository, const Revision& task, const std::string& folder, const std::string& out, const CheckoutOptions& options,
                            const Progress& progress) {
  std::vector<CheckedCommit> commits = require_task_commits(repository, task);
  const Commit& commit = commits.front().commit;
  const auto record = read_checkout_record(repository.fs(), folder);
  const DeltaTable delta = read_delta(repository, commit);
  if (record) require_base(repository, *record, delta, task, folder);
  const CheckpointFolder source(repository.fs(), folder);
  std::set<std::string> others;
  ModelFiles files = files_on_folder(repository, commit, delta, source, others);
  for (const std::string& path : others) {
    const std::string content = source.side_file(path).value_or("");
    const ByteSpan bytes = as_bytes(content);
    files.files[path] = PlainFile{std::nullopt, Bytes(bytes.begin(), bytes.end())};
  }
  if (options.single_file) join_shards(files);
  if (repository.config().without_base) attach_base(repository, source, commit);
  CheckoutRecord base;
  base.commit = *commit.base;
  base.revision = record ? record->revision : commit.base->short_hex();
  CheckoutReport report = write_new_folder(repository, files, applied_record(task, base), out, options, progress);
  report.commits = std::move(commits);
  return report;
}

ApplyReport switch_folder(Repository& repository, const Revision& revision, const std::string& given, bool single_file, const ChangeOptions& options,
                          const Progress& progress) {
  const std::string folder = without_slash(given);
  const FolderLock lock(repository.fs(), folder);
  const auto record = read_checkout_record(repository.fs(), folder, lock);
  if (!record) throw Error(ErrorCode::not_found, printable(folder) + ": is not a checkout (`dstore checkout REV -o FOLDER` makes one)");
  if (revision.computed || !record->expression.empty()) {
    throw Error(ErrorCode::unsupported, printable(folder) + ": only commits and base+task are switched in place; `dstore checkout '" + printable(revision.text) +
                                            "' -o " + printable(folder) + "` writes a computed model, or over one");
  }
  if (!repository.store().contains(record->commit)) {
    throw Error(ErrorCode::not_found, printable(folder) + ": is " + printable(record->revision) + " (commit " + record->commit.short_hex() +
                                          "), which this repository does not have; `dstore checkout REV -o FOLDER` writes it anew");
  }
  LoadedRevision loaded = load_revision(repository, revision);
  if (single_file) join_shards(loaded.files);
  const std::unique_ptr<StoredWeights> old = load_weights(repository, repository.require_commit(record->commit).commit);
  const CheckpointFolder source(repository.fs(), folder);
  require_not_linked(repository, source);

  FolderTarget target;
  target.files = std::move(loaded.files);
  target.old = old.get();
  StoredWeights& weights = *target.files.weights;
  if (weights.base() != nullptr && weights.base()->weights_id() == old->weights_id()) {
    target.old_is_base = true;
    weights.read_base_from(source.tensors(), printable(folder));
    if (repository.config().without_base) attach_base(repository, source, repository.read_commit(revision.commit));
  }
  target.record = new_record(revision);
  ApplyReport report;
  report.commits = std::move(loaded.commits);
  report.weights = weights.weights_id();
  report.before = record->revision;
  report.after = revision.text;
  report.change = change_folder(repository, source, *record, target, options, progress);
  return report;
}

}  // namespace dstore
