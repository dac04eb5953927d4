#include "base/atomic_file.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/cast_source.h"
#include "repo/checkout_record.h"
#include "repo/commit_task.h"
#include "repo/compose.h"
#include "repo/store_checkpoint.h"
#include "repo/shard_stream.h"

namespace dstore {
namespace {

/// The header of a shard whose tensors have the dtypes of `source`.
Bytes recast_header(const Shard& shard, const TensorSource& source) {
  std::vector<TensorInfo> infos;
  for (const SafetensorsEntry& entry : shard.header.entries) infos.push_back(source.tensors()[*source.find(entry.info.name)]);
  return render_safetensors_header(infos, shard.header.metadata);
}

std::string describe_unaligned(const CheckpointFolder& folder, const Commit& base, const ObjectId& base_id) {
  return folder.description() + ": no tensor of it has a name and shape of the base " + base_id.short_hex() + " (\"" +
         printable(base.subject()) + "\"); --map FILE pairs names by hand, --allow-unaligned stores it whole";
}

}  // namespace

void record_committed_folder(const Repository& repository, const CheckpointFolder& folder, const ObjectId& commit, const RefName& branch) {
  Filesystem& fs = repository.fs();
  const Commit made = repository.read_commit(commit);
  const CheckpointTable checkpoint = made.adapter ? read_checkpoint(repository, *made.adapter) : read_checkpoint(repository, made);
  CheckoutRecord record;
  record.revision = branch.text();
  record.commit = commit;
  record.branch = branch.text();
  const auto add = [&](const std::string& path, const ObjectId& digest) {
    const auto info = fs.stat(join_path(folder.path(), path), true);
    if (info) record.files[path] = {digest, info->size, info->mtime_ns, info->inode};
  };
  for (const CheckpointTable::ShardRow& shard : checkpoint.shards) add(shard.path, shard.sha256);
  for (const CheckpointTable::FileRow& file : checkpoint.files) {
    Sha256 hash;
    repository.read_file_object(file.file, [&](ByteSpan bytes) { hash.update(bytes); });
    add(file.path, hash.finish());
  }
  write_file_atomically(fs, join_path(folder.path(), kCheckoutRecord), as_bytes(record.serialize()));
}

CommitReport commit_folder(Repository& repository, const CheckpointFolder& folder, const FolderCommit& options,
                           const RefName& branch, const Committer& committer, const Progress& progress) {
  const CheckedCommit given = repository.require_commit(options.base);
  const ObjectId base_id = given.commit.base.value_or(options.base);
  const CheckedCommit base_commit = given.commit.base ? repository.require_commit(base_id) : given;
  const auto base = load_weights(repository, base_commit.commit);

  CommitReport report;
  report.alignment = align(*base, folder.tensors(), options.name_map);
  bool shares = false;
  for (const Pairing& pair : report.alignment.pairs) {
    shares = shares || (pair.base && base->tensors()[*pair.base].shape == folder.tensors().tensors()[*pair.task].shape);
  }
  if (!shares && !options.allow_unaligned) {
    throw Error(ErrorCode::conflict, describe_unaligned(folder, base_commit.commit, base_id));
  }

  const std::vector<FileInfo> stamps = shard_stamps(repository.fs(), folder);
  PackSession session = repository.store().begin_write(options.profile);
  CheckpointTable checkpoint = write_folder_files(session, repository.fs(), folder);
  const CastSource cast(folder.tensors(), *base, report.alignment.pairs);
  report.castable = cast.casts();
  const bool recast = options.dtype == DTypeChoice::base && cast.casts() > 0;
  const TensorSource& task = recast ? static_cast<const TensorSource&>(cast) : folder.tensors();
  for (std::size_t i = 0; i < folder.shards().size(); ++i) {
    const Shard& shard = folder.shards()[i];
    CheckpointTable::ShardRow& row = checkpoint.shards[i];
    if (recast) {
      const Bytes raw = recast_header(shard, task);
      std::uint64_t data = 0;
      for (const SafetensorsEntry& entry : shard.header.entries) data += task.tensors()[*task.find(entry.info.name)].bytes;
      row.header = write_file(session, raw);
      row.bytes = raw.size() + data;
      row.sha256 = hash_shard(task, parse_safetensors_header(raw, row.bytes, shard.path), 0);
    } else {
      row.sha256 = sha256(shard.bytes);
    }
    report.folder_bytes += shard.bytes.size();
  }
  for (const SideFile& file : folder.side_file_list()) report.folder_bytes += file.size;

  report.delta = write_delta(session, *base, task, report.alignment.pairs, 0, progress);
  checkpoint.weights = report.delta.table.result_weights;
  Commit commit;
  commit.checkpoint = session.add(ObjectKind::checkpoint, checkpoint.serialize());
  commit.delta = report.delta.id;
  commit.base = base_id;
  if (given.commit.is_task()) commit.derived_from.push_back(options.base);
  commit.message = options.message;

  require_same_shards(repository.fs(), folder, stamps);
  const auto head = repository.refs().head(branch);
  if (head && head->kind == RefKind::branch && !head->is_deletion() && repository.read_commit(head->new_commit).checkpoint == commit.checkpoint) {
    report.commit = head->new_commit;
    report.unchanged = true;
    if (session.objects_added() > 0) session.commit();
    return report;
  }
  report.commit = publish_commit(repository, session, std::move(commit), branch, committer);
  report.stored_bytes = session.bytes_stored();
  return report;
}

}  // namespace dstore
