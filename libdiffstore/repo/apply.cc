#include "repo/apply.h"

#include <algorithm>

#include "dstore/error.h"
#include "repo/base_folder.h"
#include "repo/compose.h"
#include "repo/folder_undo.h"
#include "repo/open_task.h"
#include "repo/tensor_ids.h"

namespace dstore {
namespace {

std::string without_slash(std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

/// A base that only the folder has is needed before anything is computed.
void attach_computed_base(Repository& repository, const CheckpointFolder& folder, const Revision& revision) {
  if (revision.computed && repository.config().without_base) attach_base(repository, folder, repository.read_commit(commit_on_base(revision)));
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
ModelFiles files_on_folder(const Repository& repository, OpenTask& task, const CheckpointFolder& folder, std::set<std::string>& others) {
  ModelFiles& own = task.loaded.files;
  if (task.scratch) {  // computed: the base's files came along; the folder has its own
    const auto of_base = load_commit_files(repository, repository.read_commit(task.base)).files;
    std::erase_if(own.files, [&](const auto& file) {
      const auto base = of_base.find(file.first);
      return base != of_base.end() && base->second.file == file.second.file;
    });
  }
  ModelFiles out;
  out.weights = std::move(own.weights);
  out.weights->read_base_from(folder.tensors(), printable(folder.path()));
  std::vector<ShardFile> base;
  for (const Shard& shard : folder.shards()) base.push_back({shard.path, shard.header, std::nullopt});
  out.shards = compose_shards(base, task.delta, out.weights->tensors());
  for (ShardFile& shard : out.shards) {
    for (const ShardFile& known : own.shards) {
      if (known.header.raw == shard.header.raw) shard.sha256 = known.sha256;
    }
  }
  out.files = std::move(own.files);
  out.files.erase(std::string(kIndexFile));
  if (Bytes index = make_index(out.shards); !index.empty()) out.files[std::string(kIndexFile)] = PlainFile{std::nullopt, std::move(index)};
  for (const ShardFile& shard : out.shards) out.files.erase(shard.path);
  for (const SideFile& file : folder.side_file_list()) {
    if (file.path != kIndexFile && out.files.count(file.path) == 0) others.insert(file.path);
  }
  return out;
}

/// The record of what `task` makes of a folder that was `before`. A sum says itself which base it is on.
CheckoutRecord applied_record(const Revision& task, const CheckoutRecord& before) {
  CheckoutRecord record = new_record(task);
  const bool says_base = task.base || (task.computed && task.computed->terms.size() > 1);
  if (!says_base) record.revision = before.revision + "+" + task.text;
  if (!task.computed) record.base = before.commit;
  else if (!says_base) record.expression = before.commit.hex() + "+" + record.expression;
  return record;
}

/// Where the folder is known to hold other weights than `task` is a difference from, it is not read at all, nor is anything computed.
void require_base(const Repository& repository, const CheckoutRecord& record, const Revision& task, const std::string& folder) {
  const ObjectId wanted = base_weights(repository, repository.read_commit(commit_on_base(task)));
  if (record.expression.empty() && record.base.is_none() && (!repository.store().contains(record.commit) ||
                                read_checkpoint(repository, repository.read_commit(record.commit)).weights == wanted)) {
    return;
  }
  const bool can_undo = exists(repository.fs(), join_path(folder, kUndoFile));
  throw Error(ErrorCode::conflict, printable(folder) + ": is " + printable(record.revision) + ", not the base that " + printable(task.text) + " was made from; " +
                                       (can_undo ? "`dstore unapply` takes the last change back, " : "") + "`dstore switch` goes to base+task");
}

/// The task that is put on a folder which is `record`, or no checkout.
OpenTask open_for(Repository& repository, const Revision& task, const std::optional<CheckoutRecord>& record, const CheckpointFolder& folder, const Progress& progress) {
  if (!task.computed) require_task(repository.require_commit(task.commit), task.text);
  if (record) require_base(repository, *record, task, folder.path());
  attach_computed_base(repository, folder, task);
  if (task.base) load_revision(repository, task);  // the base fits
  Revision alone = task;
  alone.base.reset();
  return open_task(repository, alone, progress);
}

/// The new shards whose tensors lie where a file of the folder has them.
std::map<std::string, std::string> shards_alike(const std::vector<ShardFile>& shards, const CheckpointFolder& folder) {
  std::map<std::string, std::string> out;
  for (const ShardFile& shard : shards) {
    for (const Shard& old : folder.shards()) {
      const bool as_large = old.header.raw.size() == shard.header.raw.size() && old.header.data_bytes() == shard.header.data_bytes();
      if (as_large && (old.header.raw == shard.header.raw || out.count(shard.path) == 0)) out[shard.path] = join_path(folder.path(), old.path);
    }
  }
  return out;
}

/// What a checked-out folder holds, as its record says.
struct HeldModel {
  std::unique_ptr<ScratchStore> scratch;  ///< that the weights read from, where they are computed
  std::unique_ptr<StoredWeights> weights;
};

HeldModel open_held(const Repository& repository, const CheckoutRecord& record, const std::string& folder, const Progress& progress) {
  try {
    if (record.expression.empty()) return {nullptr, load_weights(repository, repository.require_commit(record.commit).commit)};
    OpenTask task = open_task(repository, resolve_revision(repository, record.expression), progress);
    return {std::move(task.scratch), std::move(task.loaded.files.weights)};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    throw Error(ErrorCode::not_found, printable(folder) + ": is " + printable(record.revision) + ", which this repository does not have (" + error.what() +
                                          "); `dstore checkout REV -o FOLDER` writes it anew");
  }
}

}  // namespace

ApplyReport apply_task(Repository& repository, const Revision& task, const std::string& given, const ChangeOptions& options, const Progress& progress) {
  const std::string folder = without_slash(given);
  const FolderLock lock(repository.fs(), folder);
  auto record = read_checkout_record(repository.fs(), folder, lock);
  const CheckpointFolder source(repository.fs(), folder);
  OpenTask opened = open_for(repository, task, record, source, progress);
  require_not_linked(repository, source);
  FolderTarget target;
  target.files = files_on_folder(repository, opened, source, target.keep);
  target.old = target.files.weights->base();
  target.old_is_base = true;
  if (repository.config().without_base) attach_base(repository, source, repository.read_commit(opened.base));
  // Known from a checkout of this repository; else all of it is read.
  if (!record || !repository.store().contains(record->commit)) require_weights(source, *target.old, options.threads);
  if (!record) record = adopt(repository.fs(), source, opened.base);
  target.record = applied_record(task, *record);
  for (const DeltaTable::Change& change : opened.delta.changes) {
    if (!change.base_name.empty()) target.old_names.emplace(change.name, change.base_name);
  }
  ApplyReport report;
  report.commits = std::move(opened.loaded.commits);
  report.weights = opened.delta.result_weights;
  report.before = record->revision;
  report.after = target.record.revision;
  report.change = change_folder(repository, source, *record, target, options, progress);
  return report;
}

CheckoutReport apply_to_new(Repository& repository, const Revision& task, const std::string& folder, const std::string& out, const CheckoutOptions& options,
                            const Progress& progress) {
  const auto record = read_checkout_record(repository.fs(), folder);
  const CheckpointFolder source(repository.fs(), folder);
  OpenTask opened = open_for(repository, task, record, source, progress);
  std::set<std::string> others;
  ModelFiles files = files_on_folder(repository, opened, source, others);
  for (const std::string& path : others) {
    const std::string content = source.side_file(path).value_or("");
    const ByteSpan bytes = as_bytes(content);
    files.files[path] = PlainFile{std::nullopt, Bytes(bytes.begin(), bytes.end())};
  }
  if (options.single_file) join_shards(files);
  if (repository.config().without_base) attach_base(repository, source, repository.read_commit(opened.base));
  CheckoutRecord base;
  base.commit = opened.base;
  base.revision = record ? record->revision : opened.base.short_hex();
  CheckoutReport report = write_new_folder(repository, files, applied_record(task, base), out, options, progress, shards_alike(files.shards, source));
  report.commits = std::move(opened.loaded.commits);
  return report;
}

ApplyReport switch_folder(Repository& repository, const Revision& revision, const std::string& given, bool single_file, const ChangeOptions& options,
                          const Progress& progress) {
  const std::string folder = without_slash(given);
  const FolderLock lock(repository.fs(), folder);
  const auto record = read_checkout_record(repository.fs(), folder, lock);
  if (!record) throw Error(ErrorCode::not_found, printable(folder) + ": is not a checkout (`dstore checkout REV -o FOLDER` makes one)");
  const CheckpointFolder source(repository.fs(), folder);
  const HeldModel held = open_held(repository, *record, folder, progress);
  attach_computed_base(repository, source, revision);
  OpenTask computed;
  if (revision.computed) computed = open_task(repository, revision, progress);
  LoadedRevision loaded = revision.computed ? std::move(computed.loaded) : load_revision(repository, revision);
  if (single_file) join_shards(loaded.files);
  require_not_linked(repository, source);

  FolderTarget target;
  target.files = std::move(loaded.files);
  target.old = held.weights.get();
  StoredWeights& weights = *target.files.weights;
  if (weights.base() != nullptr && weights.base()->weights_id() == held.weights->weights_id()) {
    target.old_is_base = true;
    weights.read_base_from(source.tensors(), printable(folder));
    if (repository.config().without_base) attach_base(repository, source, repository.read_commit(commit_on_base(revision)));
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
